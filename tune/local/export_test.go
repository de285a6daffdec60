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

// SetWarmTime changes how long a warm-up may take, for the time of a test.
func SetWarmTime(d time.Duration) (reset func()) {
	old := warmTime
	warmTime = d
	return func() { warmTime = old }
}
