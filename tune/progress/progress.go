// Package progress shows what a command does, how far it is and how long it still takes.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"lambda-parallel-io/handler/prose"
	"lambda-parallel-io/tune/comparison"
)

// Line shows progress. On a terminal it is one line, which End clears. Elsewhere it prints a line every few seconds
// and one for each cell.
type Line struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	step  string
	begin time.Time   // of the step
	now   string      // what runs, empty after End
	since time.Time   // when that began
	told  time.Time   // when a line was last printed, without a terminal
	timer *time.Timer // of its repetition
}

// often is the time between two lines without a terminal.
const often = 3 * time.Second

// New returns a Line that writes to w.
func New(w io.Writer) *Line {
	f, ok := w.(*os.File)
	l := &Line{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
	l.timer = time.AfterFunc(often, l.repeat)
	l.timer.Stop() // until a line is printed
	return l
}

// Show shows the news. It never returns an error.
func (l *Line) Show(news comparison.Progress) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if news.Done == 0 || news.Step != l.step {
		l.step, l.begin = news.Step, time.Now()
	}
	count, left := "", ""
	if news.Total > 0 {
		count = fmt.Sprintf("%d/%d  ", news.Done, news.Total)
	}
	if d := time.Since(l.begin); news.Done > 0 && news.Done < news.Total && d > time.Second {
		left = fmt.Sprintf(", about %s left", prose.About(d/time.Duration(news.Done)*time.Duration(news.Total-news.Done)))
	}
	if news.Finished != "" && !l.terminal {
		l.print(count + news.Finished)
	} else if news.Now != "" && news.Done < max(news.Total, 1) {
		l.now, l.since = "  "+prose.OneLine(news.Step+" "+count+news.Now+left, 78), time.Now()
		switch {
		case l.terminal:
			fmt.Fprint(l.w, "\r\x1b[K"+l.now)
		case time.Since(l.told) >= often:
			l.print(l.now)
		default:
			l.timer.Reset(often)
		}
	}
	return nil
}

func (l *Line) repeat() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := time.Since(l.since); l.now != "" && d >= often { // it has not ended, nor begun anew
		now, _, _ := strings.Cut(l.now, ", about") // no estimate that is old
		l.print(fmt.Sprintf("%s, for %s so far", now, prose.About(d)))
	}
}

// print prints a line, and delays the repetition. The caller holds mu.
func (l *Line) print(text string) {
	l.told = time.Now()
	fmt.Fprintln(l.w, text)
	l.timer.Reset(often)
}

// End clears the line and ends the repetition. Show may begin anew after it.
func (l *Line) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer.Stop()
	if l.terminal && l.now != "" {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
	l.now = ""
}
