package s3

import (
	"context"
	"net/http"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"lambda-parallel-io/tune/profile"
	"lambda-parallel-io/tune/slowmotion"
)

// network is the function's, shared by its connections. A body is sent a
// [profile.Piece] at a time: a timer for less would cost more than it tells.
type network []*rate.Limiter

func newNetwork(p profile.S3, slow slowmotion.Factor) network {
	return network{rate.NewLimiter(rate.Limit(p.Bandwidth)/rate.Limit(slow.Times()), profile.BurstBytes), rate.NewLimiter(profile.BurstBandwidth/rate.Limit(slow.Times()), 2*profile.Piece)}
}

// paced sends a body as fast as a connection and the function's network allow.
type paced struct {
	http.ResponseWriter
	ctx     context.Context
	wait    func(context.Context, time.Duration) bool
	network network
	slow    slowmotion.Factor
	begin   time.Time // of the body
	sent    int
}

func (p *paced) Write(body []byte) (n int, err error) {
	for b := range slices.Chunk(body, profile.Piece) {
		if err := p.turn(len(b)); err != nil {
			return n, err
		}
		sent, err := p.ResponseWriter.Write(b)
		if n += sent; err != nil {
			return n, err
		}
	}
	return n, nil
}

// turn waits until so many bytes more have arrived.
func (p *paced) turn(n int) error {
	now, until := time.Now(), p.begin
	if p.sent += n; p.sent > profile.Piece {
		until = p.begin.Add(p.slow.Stretch(time.Duration(p.sent) * time.Second / profile.ConnectionBandwidth))
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
