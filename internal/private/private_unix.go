//go:build !windows

package private

import "os"

func mkdir(dir string) error { return os.Mkdir(dir, 0o700) }

// Admit lets another account have all that is in a folder. Here a folder is given to
// its user by other means.
func Admit(string, string) error { return nil }
