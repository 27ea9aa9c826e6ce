package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"forebay/backend/cassandra"
	"forebay/internal/event"
)

// eventsVerifyCmd proves by the numbers of events that all are there (the rules are in the package comment of event).
type eventsVerifyCmd struct {
	eventSource
	Allow []string `enum:"gaps,trimmed,open" placeholder:"WHAT" help:"What is no failure: gaps (events that Forebay itself says were lost), trimmed (the beginning of a stream is no longer held), open (a stream that a later one of the same Forebay follows has no end)."`
	Ended bool     `help:"Every stream must have ended: Forebays that serve still, or were killed, are a failure."`
	JSON  bool     `name:"json" help:"Print the verdict as JSON."`
}

// shownRanges is how many ranges of a stream are told.
const shownRanges = 20

// Run reads everything and prints what it amounts to. It fails unless nothing is missing.
func (cmd eventsVerifyCmd) Run(c *console) error {
	feed, err := cmd.open(c, false, false)
	if err != nil {
		return err
	}
	defer feed.close()
	var v event.Verifier
	progress := loadProgress{w: c.err}
	progress.begin("verify", feed.unit, feed.total)
	read, strange, example := 0, 0, error(nil)
	err = feed.run(c.ctx, func(p placed, n int) error {
		read += n
		progress.show(cassandra.Progress{Done: read, Total: feed.total})
		return p.eachLine(func(line []byte) error {
			if err := v.Add(p.partition, line); err != nil {
				if strange++; strange == 1 {
					example = err
				}
			}
			return nil
		})
	})
	progress.end()
	torn := errors.Is(err, errTorn)
	if err != nil && !torn {
		return err
	}
	verdict := judge(v.Report(), cmd.Allow, cmd.Ended)
	if strange > 0 {
		verdict.wrong = append(verdict.wrong, fmt.Sprintf("%s no events, as: %v", are(strange, "line"), example))
	}
	if torn {
		verdict.notes = append(verdict.notes, "the last line of the file is not whole: it is being written, or a crash cut it off")
	}
	if len(feed.trimmed) > 0 && len(verdict.Streams) > 0 {
		verdict.notes = append(verdict.notes, fmt.Sprintf("the topic no longer holds the beginning of %d of its partitions (its retention)", len(feed.trimmed)))
	}
	if len(verdict.Streams) == 0 {
		verdict.wrong = append(verdict.wrong, "there are no events")
	}
	return verdict.tell(c.out, feed.name, cmd.JSON)
}

// verdict is a report and what follows from it.
type verdict struct {
	event.Report
	wrong, notes []string
}

// judge says what is wrong with a report, and what is worth knowing.
func judge(r event.Report, allow []string, ended bool) *verdict {
	v := &verdict{Report: r}
	latest := map[string]int64{}
	for _, s := range r.Streams {
		latest[s.Proxy] = max(latest[s.Proxy], s.Boot)
	}
	var missing, trimmed, open, late, after int64
	for _, s := range r.Streams {
		for _, m := range s.Missing {
			if m.First == 1 && slices.Contains(allow, "trimmed") {
				trimmed += m.Last
			} else {
				missing += m.Last - m.First + 1
			}
		}
		switch {
		case s.AfterEnd:
			after++
		case !s.Ended && s.Boot < latest[s.Proxy]:
			late++
		case !s.Ended:
			open++
		}
	}
	add := func(list *[]string, n int64, format string) {
		if n > 0 {
			*list = append(*list, fmt.Sprintf(format, n))
		}
	}
	choose := func(failure bool) *[]string {
		if failure {
			return &v.wrong
		}
		return &v.notes
	}
	add(&v.wrong, missing, "%d events are missing that nothing accounts for")
	add(&v.notes, trimmed, "%d events before what is held are gone")
	add(choose(!slices.Contains(allow, "gaps")), r.Lost, "%d events were lost, as gaps say")
	add(&v.wrong, after, "%d streams go on after their end: two Forebays used one name")
	add(choose(!slices.Contains(allow, "open")), late, "%d streams have no end, though their Forebay was started again: it was killed, and its last events may be missing")
	add(choose(ended), open, "%d streams have no end yet: their Forebay serves still, or was killed")
	return v
}

// tell prints the verdict. The error is its failure.
func (v *verdict) tell(w io.Writer, name string, asJSON bool) error {
	if asJSON {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		if err := out.Encode(map[string]any{
			"complete": len(v.wrong) == 0, "wrong": append([]string{}, v.wrong...), "notes": append([]string{}, v.notes...), "streams": v.Streams,
			"lines": v.Lines, "duplicates": v.Duplicates, "lost": v.Lost, "missing": v.Missing, "open": v.Open,
		}); err != nil {
			return fmt.Errorf("print the verdict: %w", err)
		}
	} else if err := v.table(w); err != nil {
		return fmt.Errorf("print the verdict: %w", err)
	}
	if len(v.wrong) > 0 {
		return fmt.Errorf("%s is not complete: %s", name, strings.Join(v.wrong, "; "))
	}
	if !asJSON {
		fmt.Fprintf(w, "complete: %s of %s, each accounted for\n", count(int(v.Lines), "event"), count(len(v.Streams), "stream"))
	}
	return nil
}

// table prints a line a stream, and what is missing where.
func (v *verdict) table(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PROXY\tBOOT\tPARTITION\tEVENTS\tLAST\tCHECKPOINTS\tREPEATED\tLOST\tMISSING\tEND")
	for _, s := range v.Streams {
		end := "no"
		switch {
		case s.AfterEnd:
			end = "passed"
		case s.Ended:
			end = "yes"
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", s.Proxy, s.Boot, s.Partition, s.Lines, s.Last, s.Checkpoints, s.Duplicates, s.Lost, seqs(s.Missing), end)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range v.Streams {
		where(w, &s, "missing", s.Missing)
		where(w, &s, "lost", s.Gaps)
	}
	for _, n := range v.notes {
		fmt.Fprintln(w, "note:", n)
	}
	return nil
}

// where tells which seqs of a stream are lacking.
func where(w io.Writer, s *event.Stream, how string, list []event.Range) {
	for i, r := range list {
		if i == shownRanges {
			fmt.Fprintf(w, "%s boot %d partition %d: %s: and %d ranges more\n", s.Proxy, s.Boot, s.Partition, how, len(list)-i)
			return
		}
		fmt.Fprintf(w, "%s boot %d partition %d: %s: seq %d to %d\n", s.Proxy, s.Boot, s.Partition, how, r.First, r.Last)
	}
}

// seqs is how many seqs ranges have.
func seqs(list []event.Range) (n int64) {
	for _, r := range list {
		n += r.Last - r.First + 1
	}
	return n
}

// are is so many things, and that they are.
func are(n int, what string) string {
	if n == 1 {
		return "1 " + what + " is"
	}
	return fmt.Sprintf("%d %ss are", n, what)
}
