// Package filelock keeps two processes from working on one folder: a lock on a
// file that the kernel gives back when its holder ends, however it ends.
package filelock
