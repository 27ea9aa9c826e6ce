package proxy

// Rest has silent clients rest without waiting for the time.
func (srv *Server) Rest() {
	srv.restIdle()
	srv.restIdle()
}
