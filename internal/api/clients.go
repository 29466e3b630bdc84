package api

func (s *Server) clientRoutes()     {}
func (s *Server) keyRoutes()        {}
func (s *Server) connectionRoutes() {}
func (s *Server) eventRoutes()      {}
func (s *Server) webhookRoutes()    {}
