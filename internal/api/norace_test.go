//go:build !race

package api

// largeUpload is the figure.
const largeUpload = 100 << 20

const raceEnabled = false
