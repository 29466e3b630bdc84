package web

func (s *Server) overview(v *visit) error { return v.show("overview", nil) }
