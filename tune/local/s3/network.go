package s3

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// The bandwidth of a connection to S3 and of a Lambda function, in bytes and
// bytes a second. Sources:
//
//   - a connection: "Make one concurrent request for each 85-90 MB/s of desired
//     network throughput", S3 User Guide, "Performance design patterns for
//     Amazon S3"; the lower of the two is taken;
//   - a function: Bodner et al., "An Empirical Evaluation of Serverless Cloud
//     Infrastructure for Large-Scale Data Processing" (2025, arXiv:2501.07771),
//     4.2: inbound 1.2 GiB/s until a budget is spent, then 75 MiB/s, constant
//     over memory sizes. github.com/sjakthol/aws-network-benchmark measured the
//     same 0.6 Gbit/s from 128 to 10,240 MB (2024).
//
// What is inferred: of the budget of some 300 MiB half comes back as soon as
// the function is idle, so each invocation begins with that half here; the
// other half is gone after a cold start's invocation, which no figure counts.
const (
	ConnectionBandwidth = 85_000_000
	Bandwidth           = 75 << 20
	BurstBandwidth      = 1.2 * (1 << 30)
	BurstBudget         = 150 << 20
)

// piece is how much of a body is sent at once. A body that is no longer takes
// no time beside its latency, which was measured with it: so is most of S3's
// own, and a timer for less would cost more than it tells.
const piece = 64 << 10

// network is the function's, shared by its connections.
type network []*rate.Limiter

func newNetwork(slow int) network {
	return network{rate.NewLimiter(Bandwidth/rate.Limit(slow), BurstBudget), rate.NewLimiter(BurstBandwidth/rate.Limit(slow), 2*piece)}
}

// paced sends a body as fast as a connection and the function's network allow.
type paced struct {
	http.ResponseWriter
	ctx     context.Context
	wait    func(context.Context, time.Duration) bool
	network network
	slow    int
	begin   time.Time // of the body
	first   time.Time // when the first piece had been sent
	sent    int
}

func (p *paced) Write(body []byte) (n int, err error) {
	for b := range slices.Chunk(body, piece) {
		if err := p.turn(len(b)); err != nil {
			return n, err
		}
		sent, err := p.ResponseWriter.Write(b)
		p.first = cmp.Or(p.first, time.Now())
		if n += sent; err != nil {
			return n, err
		}
	}
	return n, nil
}

// turn waits until so many bytes more have arrived.
func (p *paced) turn(n int) error {
	now, until := time.Now(), p.begin
	if p.sent += n; p.sent > piece {
		until = p.begin.Add(time.Duration(p.slow) * (time.Duration(p.sent) * time.Second / ConnectionBandwidth))
	}
	for _, l := range p.network {
		if at := now.Add(l.ReserveN(now, n).DelayFrom(now)); at.After(until) {
			until = at
		}
	}
	if d := until.Sub(now); d > 0 && !p.wait(p.ctx, d) {
		return p.ctx.Err()
	}
	return nil
}
