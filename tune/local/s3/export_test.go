package s3

import "net/http"

// Handler is what the server serves.
func (s *Server) Handler() http.Handler { return s.model }

// ByGoTimers lets latencies pass by Go's timers, which a bubble's clock moves.
func (s *Server) ByGoTimers() { s.model.wait = sleep }

// Counters returns the reads answered since the start, and those of them that
// were answered SlowDown.
func (s *Server) Counters() (reads, slowDowns int64) {
	return s.model.served.Load(), s.model.slowDowns.Load()
}
