package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"lambda-parallel-io/handler/event"
)

// maxConnections leaves Lambda's 1,024 file descriptors room for the name
// service, the Runtime API and logs.
const maxConnections = event.MaxConcurrency

// stallTime is how long a connection may be silent before the attempt on it is
// given up. The SDK has no such limit for S3 by default. An idle connection
// ends by it too, which S3 would do at about that time itself.
const stallTime = 10 * time.Second

// dialTime is how long opening a connection may take, TLS apart. The SDK waits
// for 30 s by default.
const dialTime = 10 * time.Second

// bucket reads objects of one S3 bucket. It is safe for concurrent use.
type bucket struct {
	name   string
	s3     *s3.Client
	direct *direct
	turns  chan struct{} // holds an element for each read that has a connection's turn
}

// openBucket makes the client from the SDK's variables. It sends nothing.
func openBucket(ctx context.Context, name string, stall time.Duration) (*bucket, error) {
	b := &bucket{name: name, turns: make(chan struct{}, maxConnections)}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(httpClient(stall)))
	if err != nil {
		return nil, fmt.Errorf("load the configuration of the AWS SDK: %w", err)
	}
	if cfg.Region == "" {
		return nil, errors.New("AWS_REGION is not set: it must be the region of the bucket, as in eu-central-1")
	}
	b.s3 = s3.NewFromConfig(cfg, func(o *s3.Options) {
		b.direct = &direct{
			transport: newTransport(o.HTTPClient.(*awshttp.BuildableClient), stall),
			budget:    newBudget(),
			bucket:    name, credentials: o.Credentials, signer: o.HTTPSignerV4,
		}
		o.Retryer = newRetryer()
		o.APIOptions = append(o.APIOptions, b.direct.readInAttempt)
		// One warning a read for an object that was stored without a checksum.
		o.DisableLogOutputChecksumValidationSkipped = true
		o.HTTPClient = b.direct
	})
	return b, nil
}

// httpClient is what the SDK's credentials are fetched by, and what [transport]
// takes its settings from. It must be the SDK's own kind: with another one the
// config package refuses AWS_CA_BUNDLE.
func httpClient(stall time.Duration) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithReadTimeout(stall).WithDialerOptions(func(d *net.Dialer) {
		d.Timeout = dialTime
	}).WithTransportOptions(func(t *http.Transport) {
		// The default keeps 10 idle connections: 30 workers would connect
		// anew all the time, at twice to three times the CPU.
		t.MaxIdleConns = maxConnections
		t.MaxIdleConnsPerHost = maxConnections
		t.MaxConnsPerHost = maxConnections
		// S3 speaks HTTP/1.1 alone: a connection for each request in flight.
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
	})
}
