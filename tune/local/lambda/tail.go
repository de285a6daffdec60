package lambda

import (
	"io"
	"sync"
)

// tail keeps the last 4 KB of what a process prints, which is what Lambda's
// LogType=Tail returns, and passes all of it on.
type tail struct {
	next io.Writer // may be nil

	mu   sync.Mutex
	last []byte
}

const tailSize = 4 << 10

// Write never fails: a function must not be hurt by a reader of its log.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next != nil {
		_, _ = t.next.Write(p)
	}
	t.last = append(t.last, p[max(0, len(p)-tailSize):]...)
	if over := len(t.last) - tailSize; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return len(p), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]byte(nil), t.last...)
}
