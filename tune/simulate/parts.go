package simulate

// step is the next event of a connection.
type step struct {
	at   float64
	conn int32
	kind kind
}

type kind int32

const (
	open    kind = iota // a connection is opened
	send                // a GET is made
	body                // a body begins to arrive
	answer              // it has arrived
	refusal             // S3 has answered SlowDown
	silent              // nothing has come for too long
)

func (s *Simulator) push(at float64, conn int32, kind kind) {
	h := append(s.steps, step{})
	i := len(h) - 1
	for ; i > 0 && h[(i-1)/4].at > at; i = (i - 1) / 4 {
		h[i] = h[(i-1)/4]
	}
	h[i], s.steps = step{at, conn, kind}, h
}

func (s *Simulator) pop() step {
	h, n := s.steps, len(s.steps)-1
	top, last, i := h[0], h[n], 0
	for child := 1; child < n; child = 4*i + 1 {
		least := child
		for j := child + 1; j < min(child+4, n); j++ {
			if h[j].at < h[least].at {
				least = j
			}
		}
		if h[least].at >= last.at {
			break
		}
		h[i], i = h[least], least
	}
	h[i], s.steps = last, h[:n]
	return top
}

// bucket is a token bucket, refilled by rate a ms.
type bucket struct{ tokens, most, rate, at float64 }

func newBucket(perSecond, most float64) bucket {
	return bucket{tokens: most, most: most, rate: perSecond / 1e3}
}

func (b *bucket) fill(at float64) {
	if at > b.at {
		b.tokens, b.at = min(b.most, b.tokens+(at-b.at)*b.rate), at
	}
}

// reserve takes n tokens, and returns when they are there.
func (b *bucket) reserve(at, n float64) float64 {
	b.fill(at)
	b.tokens -= n
	return at + max(0, -b.tokens/b.rate)
}

// span sums what intervals cover together. They come roughly in the order of their beginnings.
type span struct{ sum, end float64 }

func (s *span) add(from, to float64) {
	if from = max(from, s.end); to > from {
		s.sum += to - from
		s.end = to
	}
}
