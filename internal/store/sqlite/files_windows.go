package sqlite

// renamesOpen: a file that is open without FILE_SHARE_DELETE, as the library
// opens it, cannot be renamed.
const renamesOpen = false

// syncDir does nothing: NTFS writes the names with its own journal, and a
// folder cannot be synced from here.
func syncDir(string) error { return nil }
