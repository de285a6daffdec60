//go:build !linux

package s3

var wait = sleep
