package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"lambda-parallel-io/tune/comparison"
)

// progress tells how far a comparison is: a bar on a terminal, a line for
// each finished cell elsewhere.
type progress struct {
	w   io.Writer
	bar *progressbar.ProgressBar // nil where w is no terminal, or before the first news
	tty bool
}

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, tty: ok && term.IsTerminal(int(f.Fd()))}
}

func (p *progress) show(news comparison.Progress) {
	if !p.tty {
		if news.Finished != "" {
			fmt.Fprintf(p.w, "%d/%d  %s\n", news.Done, news.Total, news.Finished)
		}
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions(news.Total,
			progressbar.OptionSetWriter(p.w),
			progressbar.OptionSetWidth(20),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionSetElapsedTime(false),
			progressbar.OptionThrottle(50*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	p.bar.ChangeMax(news.Total)
	_ = p.bar.Set(news.Done) // fails only beyond the maximum
	p.bar.Describe(fmt.Sprintf("%2d/%d %-26s", news.Done, news.Total, news.Now))
}

// end leaves nothing of the bar behind.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
