package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far long work has come: a bar on a terminal, elsewhere a line a second at most. Its methods are for one goroutine
// at a time.
type progress struct {
	w     io.Writer
	name  string
	total int
	bar   *progressbar.ProgressBar // nil: lines
	next  time.Time                // of the next line
}

// lineEvery is the time between two lines.
const lineEvery = time.Second

func newProgress(w io.Writer, name string, total int) *progress {
	p := &progress{w: w, name: name, total: total, next: time.Now().Add(lineEvery)}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(name), progressbar.OptionShowCount(),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString("samples"), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	}
	return p
}

// show tells that so many are done, with so many bytes.
func (p *progress) show(done int, bytes int64) {
	if p.bar != nil {
		_ = p.bar.Set(done) // a terminal that is gone stops no work
		return
	}
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(lineEvery)
	fmt.Fprintf(p.w, "%s: %d of %d samples (%d%%), %d bytes\n", p.name, done, p.total, 100*done/max(1, p.total), bytes)
}

// end takes the bar away. It may be called more than once.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprint(p.w, "\r\033[K")
		p.bar = nil
	}
}
