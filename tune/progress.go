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

// newProgress tells how far a comparison is: by a bar on a terminal, of which
// end leaves nothing behind, and elsewhere by a line for each finished cell.
func newProgress(w io.Writer) (show func(comparison.Progress), end func()) {
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return func(news comparison.Progress) {
			if news.Finished != "" {
				fmt.Fprintf(w, "%d/%d  %s\n", news.Done, news.Total, news.Finished)
			}
		}, func() {}
	}
	bar := progressbar.NewOptions(1,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetWidth(20),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
	return func(news comparison.Progress) {
		bar.ChangeMax(news.Total)
		_ = bar.Set(news.Done) // fails only beyond the maximum
		bar.Describe(fmt.Sprintf("%2d/%d %-26s", news.Done, news.Total, news.Now))
	}, func() { _ = bar.Clear() }
}
