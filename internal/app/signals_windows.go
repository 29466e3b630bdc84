package app

import "os"

// Windows has no SIGHUP: a service is restarted.
func reloadSignals() []os.Signal { return nil }

func (s *server) notifySystemd(string) {}
