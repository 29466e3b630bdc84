//go:build unix && !linux

package pickup

import "os"

// renameNew: there is no rename here that promises not to replace.
func renameNew(string, string) error { return errUnsupported }

// writers: there is no one to ask.
func writers(*os.File) openState { return openUnknown }
