// Command handler is the AWS Lambda function that is compared: each
// invocation reads the S3 objects that its payload names, or one of them as
// many times as it says, by the concurrency strategy that it names.
//
// Settings come from the environment alone: BUCKET is required, MAX_WORKERS
// is the concurrency of a payload that names none (100 for each vCPU, 30 at
// least), and the variables of the AWS SDK mean what they always do.
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
