package sandbox

type graphServer struct{ url string }

func (g *graphServer) start(s *Sandbox) error { return nil }
func (g *graphServer) close() error           { return nil }
func (g *graphServer) reset()                 {}
