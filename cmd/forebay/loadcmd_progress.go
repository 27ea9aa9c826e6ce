package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"forebay/backend/cassandra"
)

// loadProgress shows how far a load (or a warm-up) has come, stage after stage: on a terminal a bar with the rate and the time left, elsewhere a line a second at
// most. Its methods are for one goroutine at a time.
type loadProgress struct {
	w          io.Writer
	name, unit string
	total      int
	bar        *progressbar.ProgressBar // nil: lines, or nothing begun
	terminal   bool
	began      time.Time
	next       time.Time // of the next line
	last       cassandra.Progress
}

// begin begins a stage. A total of zero is learned from what is shown.
func (p *loadProgress) begin(name, unit string, total int) {
	p.end()
	f, ok := p.w.(*os.File)
	p.terminal = ok && term.IsTerminal(int(f.Fd()))
	p.name, p.unit, p.total, p.last = name, unit, total, cassandra.Progress{}
	p.began = time.Now()
	p.next = p.began.Add(time.Second)
}

// show is the loader's progress.
func (p *loadProgress) show(now cassandra.Progress) {
	p.last = now
	if p.total == 0 {
		p.total = now.Total
	}
	if p.terminal {
		p.draw(now)
		return
	}
	at := time.Now()
	if at.Before(p.next) {
		return
	}
	p.next = at.Add(time.Second)
	fmt.Fprintln(p.w, p.line(now, at.Sub(p.began)))
}

// line tells how far it is after so long.
func (p *loadProgress) line(now cassandra.Progress, elapsed time.Duration) string {
	rate := float64(now.Done) / max(elapsed.Seconds(), 0.001)
	left := time.Duration(float64(p.total-now.Done) / max(rate, 0.001) * float64(time.Second)).Round(time.Second)
	bytes := ""
	if now.Bytes > 0 {
		bytes = fmt.Sprintf("%d bytes, ", now.Bytes)
	}
	return fmt.Sprintf("%s: %d of %s (%d%%), %s%.0f %ss/s, %v left",
		p.name, now.Done, count(p.total, p.unit), 100*now.Done/max(1, p.total), bytes, rate, p.unit, left)
}

func (p *loadProgress) draw(now cassandra.Progress) {
	if p.bar == nil {
		p.bar = progressbar.NewOptions(p.total,
			progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription(p.name), progressbar.OptionShowCount(),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString(p.unit+"s"), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	}
	_ = p.bar.Set(now.Done) // a terminal that is gone stops no work
}

// skipped tells what of the stage was stored already, "" for nothing, and takes the bar away.
func (p *loadProgress) skipped() string {
	p.end()
	if p.last.Skipped == 0 {
		return ""
	}
	return fmt.Sprintf(", %s stored already", count(p.last.Skipped, p.unit))
}

// clear makes room for a line in the bar's place; the bar comes back with what is shown next.
func (p *loadProgress) clear() {
	if p.bar != nil {
		fmt.Fprint(p.w, "\r\033[K")
	}
}

// end takes the bar away. It may be called more than once.
func (p *loadProgress) end() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprint(p.w, "\r\033[K")
		p.bar = nil
	}
}
