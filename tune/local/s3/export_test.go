package s3

import "net/http"

// Handler is what the server serves.
func (s *Server) Handler() http.Handler { return s.model }

// ByGoTimers lets latencies pass by Go's timers, which a bubble's clock moves.
func (s *Server) ByGoTimers() { s.model.wait = sleep }
