//go:build !race

package mime

const raceEnabled = false // the detector makes measures of time useless
