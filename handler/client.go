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

// maxConnections is the most connections to S3 at a time. Of Lambda's 1,024 file
// descriptors it leaves some for DNS, the Runtime API and logs.
const maxConnections = event.MaxConcurrency

// stallTime is how long a connection may be silent before its attempt fails. By
// default the SDK has no such limit for S3. An idle connection is closed after
// the same time; S3 itself would close it at about that time.
const stallTime = 10 * time.Second

// dialTime is how long opening a connection may take, not counting TLS. The SDK
// waits 30 s by default.
const dialTime = 10 * time.Second

// bucket reads objects of one S3 bucket. It is safe for concurrent use.
type bucket struct {
	name   string
	s3     *s3.Client
	direct *direct
	slots  chan struct{} // holds an element for each connection slot in use
}

// openBucket returns a client of the bucket of that name, configured by the
// SDK's environment variables. It sends no request. It fails without a region or
// with a configuration that the SDK refuses.
func openBucket(ctx context.Context, name string, stall time.Duration) (*bucket, error) {
	b := &bucket{name: name, slots: make(chan struct{}, maxConnections)}
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
		// Otherwise each read of an object without a checksum logs a warning.
		o.DisableLogOutputChecksumValidationSkipped = true
		o.HTTPClient = b.direct
	})
	return b, nil
}

// httpClient returns the client that fetches the SDK's credentials and from which
// [transport] takes its settings. It must be of the SDK's own type: with another
// type the config package refuses AWS_CA_BUNDLE.
func httpClient(stall time.Duration) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithReadTimeout(stall).WithDialerOptions(func(d *net.Dialer) {
		d.Timeout = dialTime
	}).WithTransportOptions(func(t *http.Transport) {
		// By default only 10 idle connections are kept: 30 workers would
		// reconnect all the time, at two to three times the CPU.
		t.MaxIdleConns = maxConnections
		t.MaxIdleConnsPerHost = maxConnections
		t.MaxConnsPerHost = maxConnections
		// S3 speaks only HTTP/1.1, so each request in flight has its own connection.
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
	})
}
