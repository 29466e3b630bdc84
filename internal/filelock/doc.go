// Package filelock keeps two processes from working on one folder with a lock
// on a file, which the kernel releases when its holder ends, however it ends.
package filelock
