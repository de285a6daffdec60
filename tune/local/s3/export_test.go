package s3

import "net/http"

// Handler is what the server serves, by the clock of the bubble that it is
// called in.
func (s *Server) Handler() http.Handler {
	s.model.wait = sleep
	return s.model
}
