package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
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

// bucket reads objects of one S3 bucket. It is safe for concurrent use.
type bucket struct {
	name        string
	s3          *s3.Client
	turns       chan struct{} // holds an element for each read that has a connection's turn
	retryer     *retryer
	connections atomic.Int64 // opened so far
}

// openBucket makes the client from the SDK's variables. It sends nothing.
func openBucket(ctx context.Context, name string, stall time.Duration) (*bucket, error) {
	b := &bucket{name: name, turns: make(chan struct{}, maxConnections), retryer: newRetryer()}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(b.httpClient(stall)))
	if err != nil {
		return nil, fmt.Errorf("load the configuration of the AWS SDK: %w", err)
	}
	if cfg.Region == "" {
		return nil, errors.New("AWS_REGION is not set: it must be the region of the bucket, as in eu-central-1")
	}
	b.s3 = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.Retryer = b.retryer
		o.Interceptors.AddAfterTransmit(ownPause{})
		o.APIOptions = append(o.APIOptions, readInAttempt)
		// One warning a read for an object that was stored without a checksum.
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	return b, nil
}

// httpClient must be the SDK's own kind: with another one the config package
// refuses AWS_CA_BUNDLE.
func (b *bucket) httpClient(stall time.Duration) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().WithReadTimeout(stall).WithTransportOptions(func(t *http.Transport) {
		// The default keeps 10 idle connections: 30 workers would connect
		// anew all the time, at twice to three times the CPU.
		t.MaxIdleConns = maxConnections
		t.MaxIdleConnsPerHost = maxConnections
		t.MaxConnsPerHost = maxConnections
		// S3 speaks HTTP/1.1 alone: a connection for each request in flight.
		t.Protocols = new(http.Protocols)
		t.Protocols.SetHTTP1(true)
		dial := t.DialContext
		t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			if err == nil {
				b.connections.Add(1)
			}
			return conn, err
		}
	})
}

func (b *bucket) counters() counters {
	return counters{cpu: processCPU(), retries: b.retryer.retries.Load(), connections: b.connections.Load()}
}
