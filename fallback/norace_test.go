//go:build !race

package fallback

const raceEnabled = false // tests of volume are a hundred times slower with it
