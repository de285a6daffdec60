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
	bar *progressbar.ProgressBar // nil where w is no terminal
}

func newProgress(w io.Writer) *progress {
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{w: w}
	}
	return &progress{w, progressbar.NewOptions(1,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetWidth(20),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

func (p *progress) show(news comparison.Progress) {
	if p.bar == nil {
		if news.Finished != "" {
			fmt.Fprintf(p.w, "%d/%d  %s\n", news.Done, news.Total, news.Finished)
		}
		return
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
