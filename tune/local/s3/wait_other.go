//go:build !linux

package s3

import smithytime "github.com/aws/smithy-go/time"

var wait = smithytime.SleepWithContext
