//go:build race

package api

// largeUpload is less under the race detector, which makes each byte slow.
const largeUpload = 40 << 20

const raceEnabled = true
