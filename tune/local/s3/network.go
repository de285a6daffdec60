package s3

import (
	"context"
	"net/http"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"lambda-parallel-io/tune/profile"
)

// newLimiter returns a limiter whose rate is divided by the slow-motion factor.
func (m *model) newLimiter(perSecond float64, burst int) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(perSecond)/rate.Limit(m.slow.Times()), burst)
}

// paced sends a body as fast as a connection and the function's network allow, in
// units of [profile.Piece]: smaller ones would need more timers for no gain.
type paced struct {
	http.ResponseWriter
	model *model
	now   *invocation
	ctx   context.Context
	begin time.Time // of the body
	sent  int
}

func (p *paced) Write(body []byte) (n int, err error) {
	for b := range slices.Chunk(body, profile.Piece) {
		if err := p.await(len(b)); err != nil {
			return n, err
		}
		sent, err := p.ResponseWriter.Write(b)
		if n += sent; err != nil {
			return n, err
		}
	}
	return n, nil
}

// await waits until the next n bytes have arrived.
func (p *paced) await(n int) error {
	now, until := time.Now(), p.begin
	if p.sent += n; p.sent > profile.Piece {
		until = p.begin.Add(p.model.slow.Stretch(time.Duration(p.sent) * time.Second / profile.ConnectionBandwidth))
	}
	for _, l := range p.now.network {
		if at := now.Add(l.ReserveN(now, n).DelayFrom(now)); at.After(until) {
			until = at
		}
	}
	if d := until.Sub(now); d > 0 && !p.model.wait(p.ctx, d) {
		return p.ctx.Err()
	}
	return nil
}
