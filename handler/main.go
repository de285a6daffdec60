// Command handler is the AWS Lambda function that a comparison measures. Its
// payload names S3 objects, or one object and a count, and a concurrency
// strategy; each invocation reads them by that strategy.
//
// Settings come from the environment alone. BUCKET is required. MAX_WORKERS is
// the concurrency of a payload that sets none: by default 100 per vCPU, and at
// least 30. The AWS SDK reads its own variables as usual.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	tuneMemory(os.Getenv)
	f, err := newFunction(context.Background(), os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "the function cannot start:", err)
		os.Exit(1)
	}
	lambda.Start(f)
}
