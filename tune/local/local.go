// Package local runs a comparison on this machine: the function as a real
// process under a model of Lambda, against a model of S3.
package local

import (
	"io"
	"log"
	"time"

	"lambda-parallel-io/tune/local/s3"
	"lambda-parallel-io/tune/powertuning"
)

// Config says what to compare, beside what the comparison itself says.
type Config struct {
	Function string   // a Go package to build, or an executable that speaks the Runtime API
	Ours     bool     // whether the answers are this project's: then they are checked
	Env      []string // KEY=VALUE, for the function
	Object   string   // the file that S3 holds
	Key      string   // under this key
	Dir      string   // a folder for what is built; the caller removes it

	Latency s3.Latency
	Seed    uint64
	Timeout time.Duration // of an invocation
	Sleep   time.Duration // after each invocation
	Goal    powertuning.Goal

	Verbose *log.Logger // takes each invocation's REPORT line and what the model costs; may be nil
	Output  io.Writer   // takes what the function prints; may be nil
}
