package e2e_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/internal/testkit"
)

var update = flag.Bool("update", false, "write the table of faults into README.md, as measured one after the other")

// fault is something that breaks while clients are at work. Its run breaks and mends it; what it adds to the outcome must have ended well and in time.
type fault struct {
	name string // as README's table has it
	run  func(t *testing.T, o *outcome)
}

// outcome is what clients saw of a fault.
type outcome struct {
	ended   map[string]int // requests, by how they ended
	longest time.Duration
	whole   time.Duration // from the end of the fault until all was as before
	note    string        // what was waited for
}

// add wants every request to have ended with one of the words within the budget, and counts them.
func (o *outcome) add(t testing.TB, what string, list []reading, allowed ...string) {
	t.Helper()
	wantWords(t, what, list, inTime, allowed...)
	o.count(list)
}

// served is add for reads that are to have values. A machine that has too much to do makes Cassandra late for a few.
func (o *outcome) served(t testing.TB, what string, list []reading, also ...string) {
	t.Helper()
	o.add(t, what, list, append(also, "value", "SOURCETIMEOUT")...)
	wantFew(t, list, "SOURCETIMEOUT", max(4, len(list)/20))
}

func (o *outcome) count(list []reading) {
	if o.ended == nil {
		o.ended = map[string]int{}
	}
	for _, r := range list {
		o.ended[r.word]++
		o.longest = max(o.longest, r.took)
	}
}

// recovers waits until it is so, and notes how long after the fault's end that is.
func (o *outcome) recovers(t testing.TB, from time.Time, what string, so func() bool) {
	t.Helper()
	eventually(t, what, so)
	o.whole, o.note = time.Since(from), what
	t.Logf("%-34s after %s", what, millis(o.whole))
}

// closed are the words for a connection that was closed or refused.
func closed() []string { return []string{"EOF", "read", "write", "dial"} }

// row is the outcome as README has it.
func (o *outcome) row(name string) string {
	n := map[string]int{}
	for word, count := range o.ended {
		if slices.Contains(closed(), word) {
			word = "closed"
		}
		n[word] += count
	}
	parts := []string{fmt.Sprintf("%d values", n["value"])}
	for _, word := range slices.Sorted(maps.Keys(n)) {
		if word != "value" {
			parts = append(parts, fmt.Sprintf("%d %s", n[word], word))
		}
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", name, strings.Join(parts, ", "), seconds(o.longest), seconds(o.whole), o.note)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// faults is the table, but for those that need a Cassandra of their own (outage).
func faults() []fault {
	return slices.Concat(redisFaults(), sourceFaults(), leaseFaults(), rowFaults(), clientFaults(), processFaults())
}

// TestFaults breaks what there is to break while clients read tagged values. Of every fault: no wrong value, every request ends in time, and all is well again
// without help. Without -update faults are side by side and their times are only bounded.
func TestFaults(t *testing.T) {
	var mu sync.Mutex
	lines := map[string]string{}
	one := func(t *testing.T, f fault) {
		o := &outcome{}
		f.run(t, o)
		mu.Lock()
		defer mu.Unlock()
		lines[f.name] = o.row(f.name)
	}
	scene := &outage{server: testkit.BeginCassandra(t)}
	own, others := scene.faults(), faults()
	if !*update {
		t.Parallel()
	}
	t.Run("all", func(t *testing.T) {
		t.Run("Cassandra", func(t *testing.T) {
			beside(t)
			scene.start(t)
			for _, f := range own {
				t.Run(f.name, func(t *testing.T) { one(t, f) })
			}
		})
		for _, f := range others {
			t.Run(f.name, func(t *testing.T) {
				beside(t)
				one(t, f)
			})
		}
	})
	table := ""
	for _, f := range slices.Concat(others[:len(redisFaults())], own, others[len(redisFaults()):]) {
		table += lines[f.name]
	}
	t.Logf("fault | requests ended in | longest | whole again after |\n%s", table)
	if *update && !t.Failed() {
		writeTable(t, table)
	}
}

// beside lets faults be side by side, unless they are measured.
func beside(t *testing.T) {
	if !*update {
		t.Parallel()
	}
}

// writeTable puts the table into README.
func writeTable(t *testing.T, table string) {
	t.Helper()
	const path, begin, end = "../../README.md", "<!-- faults:begin", "<!-- faults:end -->"
	b, err := os.ReadFile(path)
	must(t, err)
	before, rest, found := strings.Cut(string(b), begin)
	line, rest, _ := strings.Cut(rest, "\n")
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatal("README.md lacks the markers around the table of faults")
	}
	head := "\n| fault | requests ended in | longest | whole again after | what is meant by that |\n| --- | --- | --- | --- | --- |\n"
	must(t, os.WriteFile(path, []byte(before+begin+line+"\n"+head+table+"\n"+end+after), 0o644))
}
