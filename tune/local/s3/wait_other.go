//go:build !linux

package s3

// wait lets a latency pass. It returns false when ctx ends before.
var wait = sleep
