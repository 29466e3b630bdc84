package vault

import "os"

// giveTo does nothing: files have the rights of their folder.
func giveTo(string, os.FileInfo) error { return nil }
