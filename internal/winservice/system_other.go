//go:build !windows

package winservice

// System returns ErrElsewhere: this system has no such services.
func System() (Manager, error) { return nil, ErrElsewhere }

// Inside reports whether this process is the service.
func Inside() bool { return false }

// Main runs the gateway inside the service and returns the exit code.
func Main(Gateway) int { return 1 }
