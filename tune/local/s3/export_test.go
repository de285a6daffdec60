package s3

import "net/http"

// Handler is what the server serves, for tests with a clock of their own.
func (s *Server) Handler() http.Handler { return s.model }
