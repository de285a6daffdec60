package main

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

// progress shows what runs, how far it is and how long it still takes. On a terminal
// it is one line, which end clears. Elsewhere it prints a line every few seconds and
// one for each cell.
type progress struct {
	w        io.Writer
	terminal bool

	mu    sync.Mutex
	told  time.Time
	shown bool          // a line is on the terminal and must be cleared
	now   string        // what runs, without a terminal
	since time.Time     // when it began
	ended chan struct{} // closed by end; nil if nothing repeats now
}

// often is the time between two lines without a terminal.
const often = 3 * time.Second

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// step returns a function that shows the progress of a step. It never returns an error.
func (p *progress) step(name string) func(comparison.Progress) error {
	begin := time.Now()
	return func(news comparison.Progress) error {
		if news.Done == 0 {
			begin = time.Now() // the time before was spent building
		}
		left := ""
		if d := time.Since(begin); news.Done > 0 && news.Done < news.Total && d > time.Second {
			left = fmt.Sprintf(", about %s left", about(d/time.Duration(news.Done)*time.Duration(news.Total-news.Done)))
		}
		count := ""
		if news.Total > 0 {
			count = fmt.Sprintf("%d/%d  ", news.Done, news.Total)
		}
		switch {
		case news.Finished != "" && !p.terminal:
			p.mu.Lock()
			p.line(fmt.Sprintf("%s%s", count, news.Finished))
			p.mu.Unlock()
		case news.Now != "" && news.Done < max(news.Total, 1):
			p.say(name, count+news.Now+left)
		}
		return nil
	}
}

// building tells that the function is built. For this project's, on a new machine, that
// takes long.
func (p *progress) building() {
	p.say("building", "the function, which takes about 90 s the first time on a machine")
}

// say shows what runs now. Without a terminal that is repeated until end or the next.
func (p *progress) say(name, what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := prose.OneLine(fmt.Sprintf("%-12s %s", name, what), 78)
	if p.terminal {
		fmt.Fprintf(p.w, "\r\x1b[K  %s", text)
		p.shown = true
		return
	}
	if p.now, p.since = text, time.Now(); time.Since(p.told) >= often {
		p.line("  " + text)
	}
	if p.ended == nil {
		p.ended = make(chan struct{})
		go p.repeat(p.ended)
	}
}

func (p *progress) repeat(ended chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case <-time.After(often / 10):
		}
		p.mu.Lock()
		if d := time.Since(p.since); p.ended == ended && time.Since(p.told) >= often && d >= often {
			now, _, _ := strings.Cut(p.now, ", about") // no estimate that is old
			p.line(fmt.Sprintf("  %s, for %s so far", now, about(d)))
		}
		p.mu.Unlock()
	}
}

// line prints a line. The caller holds mu.
func (p *progress) line(text string) {
	p.told = time.Now()
	fmt.Fprintln(p.w, text)
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended != nil {
		close(p.ended)
		p.ended = nil
	}
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}
