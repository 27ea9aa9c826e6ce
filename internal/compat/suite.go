package compat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// ErrDiffers means that all was run, and that Forebay is not what Redis is. What differs has been printed.
var ErrDiffers = errors.New("forebay differs from redis")

// Options of [Suite].
type Options struct {
	Forebay   string    // path of the program
	Protocols []int     // 2, 3 or both, in the order to be run
	Files     []string  // of pytest/files.txt; empty is all
	State     string    // the folder that keeps reports of interrupted runs; empty is in the cache folder
	Fresh     bool      // do not go on where an interrupted run stopped
	Out       io.Writer // for people
}

// run is one run of the suite.
type run struct {
	Options
	tests    tests
	inTurn   []string // files whose sides are not run at once
	state    *state
	expected []Expected
}

// Suite runs redis-py's tests on both sides and prints a row for each file and protocol, then what differs, what was expected to and
// what was flaky. The error is ErrDiffers if a difference is not expected, or an expected one is none; any other error says that
// it could not be run.
func Suite(ctx context.Context, o Options) (err error) {
	r := &run{Options: o}
	text, err := text("pytest/expected.txt")
	if err != nil {
		return err
	}
	if r.expected, err = ParseExpected(text); err != nil {
		return err
	}
	if err := r.choose(); err != nil {
		return err
	}
	if r.tests, err = prepareTests(ctx); err != nil {
		return err
	}
	if r.state, err = openState(o.State, o.Forebay, o.Fresh); err != nil {
		return err
	}
	defer r.state.close()
	t := newTable(o.Out)
	for _, protocol := range o.Protocols {
		for _, file := range r.Files {
			row, err := r.file(ctx, file, protocol)
			if err != nil {
				return err
			}
			t.add(row)
		}
	}
	if err := r.state.drop(); err != nil {
		return err
	}
	return t.end()
}

// choose checks the files' names; none are all.
func (r *run) choose() error {
	list, err := lines("pytest/files.txt")
	if err != nil {
		return err
	}
	for i, line := range list {
		var inTurn bool
		if list[i], inTurn = strings.CutSuffix(line, " in turn"); inTurn {
			r.inTurn = append(r.inTurn, list[i])
		}
	}
	for _, name := range r.Files {
		if !slices.Contains(list, name) {
			return fmt.Errorf("file %s is none of pytest/files.txt", name)
		}
	}
	if len(r.Files) == 0 {
		r.Files = list
	}
	return nil
}

// row is one line of the table and what is told after it.
type row struct {
	file              string
	protocol          int
	straight, through Report
	took              time.Duration
	Comparison
	expected []Judged // of Differences, taken out
	stale    []string
}

// file runs one file on both sides at once, what is doubtful again, and judges.
func (r *run) file(ctx context.Context, file string, protocol int) (row, error) {
	began := time.Now()
	w := row{file: file, protocol: protocol}
	err := r.both(ctx, file, func(ctx context.Context, name string, open func() (*side, error)) error {
		if _, err := os.Stat(r.state.path(file, name, protocol)); err == nil {
			return nil // an interrupted run got so far
		}
		return r.on(ctx, open, protocol, file, r.state.path(file, name, protocol))
	})
	if err != nil {
		return w, err
	}
	if w.straight, err = r.state.read(file, straightName, protocol); err != nil {
		return w, err
	}
	if w.through, err = r.state.read(file, throughName, protocol); err != nil {
		return w, err
	}
	if len(w.straight) == 0 {
		return w, fmt.Errorf("run %s: no test of it ended", file)
	}
	again, err := r.again(ctx, file, Doubtful(w.straight, w.through), protocol)
	if err != nil {
		return w, err
	}
	w.Comparison = Compare(w.straight, w.through, again)
	w.stale = stale(r.expected, file, protocol, w.Differences)
	unexpected := w.Differences[:0:0]
	for _, j := range w.Differences {
		if expects(r.expected, j.Test, protocol) {
			w.expected = append(w.expected, j)
		} else {
			unexpected = append(unexpected, j)
		}
	}
	w.Differences, w.took = unexpected, time.Since(began)
	return w, nil
}

// again runs each test of a file alone, on both sides, with new servers.
func (r *run) again(ctx context.Context, of string, doubtful []string, protocol int) (map[string]Pair, error) {
	pairs := map[string]Pair{}
	dir, err := os.MkdirTemp("", "forebay-compat-again-")
	if err != nil {
		return nil, fmt.Errorf("make folder for reports: %w", err)
	}
	defer os.RemoveAll(dir)
	s := &state{dir: dir}
	for i, test := range doubtful {
		file := fmt.Sprint(i)
		err := r.both(ctx, file, func(ctx context.Context, name string, open func() (*side, error)) error {
			return r.on(ctx, open, protocol, test, s.path(file, name, protocol))
		})
		if err != nil {
			return nil, err
		}
		straight, err := s.read(file, straightName, protocol)
		if err != nil {
			return nil, err
		}
		through, err := s.read(file, throughName, protocol)
		if err != nil {
			return nil, err
		}
		pairs[test] = Pair{straight.Of(test), through.Of(test)}
	}
	return pairs, nil
}

// both calls do for each side, at once unless the file's are to take turns. The first error ends the other.
func (r *run) both(ctx context.Context, file string, do func(ctx context.Context, name string, open func() (*side, error)) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 2)
	turn := make(chan struct{}, 2)
	turn <- struct{}{}
	if !slices.Contains(r.inTurn, file) {
		turn <- struct{}{}
	}
	call := func(name string, open func() (*side, error)) {
		<-turn
		err := do(ctx, name, open)
		turn <- struct{}{}
		ended <- err
	}
	go call(straightName, func() (*side, error) { return openStraight(ctx) })
	go call(throughName, func() (*side, error) { return openThrough(ctx, r.Forebay, unmatched) })
	var first error
	for range 2 {
		if err := <-ended; err != nil && first == nil {
			first = err
			cancel()
		}
	}
	return first
}

// on opens a side, runs the selection there and closes it.
func (r *run) on(ctx context.Context, open func() (*side, error), protocol int, selection, path string) (err error) {
	s, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return r.tests.run(ctx, s, protocol, selection, path)
}
