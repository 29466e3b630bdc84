package app

import "os"

// Windows has no hang-up: a service is restarted.
func reloadSignals() []os.Signal { return nil }

func (s *server) notifySystemd(string) {}
