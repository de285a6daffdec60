package s3

import (
	"net/http"

	smithytime "github.com/aws/smithy-go/time"
)

// Handler is what the server serves.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// ByGoTimers lets latencies pass by Go's timers, which a bubble's clock moves.
func (s *Server) ByGoTimers() { s.wait = smithytime.SleepWithContext }

// Counters returns the reads answered since the start, all of one invocation, and
// those of them that were answered SlowDown.
func (s *Server) Counters() (reads, slowDowns int64) {
	reads = s.served.Load()
	return reads, reads - int64(s.Requests())
}
