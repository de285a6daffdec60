//go:build linux

package local

import "time"

// SetClosing changes how long a process may be frozen and still have its
// connections, for the time of a test.
func SetClosing(d time.Duration) (reset func()) {
	old := closing
	closing = d
	return func() { closing = old }
}
