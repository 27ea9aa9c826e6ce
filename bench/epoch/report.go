package main

import (
	"fmt"
	"strings"

	"forebay/bench/figure"
)

// The report's name in README.md, and what writes it.
const (
	reportName = "epoch"
	reportBy   = "make bench-epoch"
)

// The names of what is measured.
const (
	forebayEpoch     = "Forebay, `read_ahead: partition`"
	bestEpoch        = "cache-aside: MGET, concurrent SELECTs, SETEX in a pipeline"
	asideEpoch       = "cache-aside, one by one: GET, SELECT, SETEX"
	driverPartition  = "the driver alone"
	forebayPartition = "one MGET of 1,024 cold keys through Forebay"
)

// report is what was measured, in Markdown.
func (s *stack) report(machine string) string {
	of := func(name string) string { return figure.Of(s.figures[name]).String() }
	ratio := func(of, to string) figure.Spread { return figure.Of(figure.Ratios(s.figures[of], s.figures[to])) }
	var b strings.Builder
	fmt.Fprintf(&b, "%s Rounds: %d.\n\n### Against the targets\n\nRatios of rates within a round: **median** (least–most).\n\n"+
		"| of | to | ratio | wanted | |\n| --- | --- | ---: | ---: | --- |\n", machine, s.rounds)
	for _, g := range []struct {
		of, to string
		want   float64
	}{{forebayEpoch, asideEpoch, 20}, {forebayEpoch, bestEpoch, 3}, {forebayPartition, driverPartition, 0.8}} {
		r := ratio(g.of, g.to)
		fmt.Fprintf(&b, "| %s | %s | %s | ≥ %.2f | %s |\n", g.of, g.to, r.Ratio(), g.want, r.Verdict(g.want))
	}
	fmt.Fprintf(&b, "\n### A cold epoch\n\n%s samples of %s bytes, shuffled, by two processes in minibatches of 64.\n\n| | samples/s |\n| --- | ---: |\n",
		figure.Amount(float64(s.samples)), figure.Amount(float64(s.bytes)))
	for _, name := range []string{forebayEpoch, bestEpoch, asideEpoch} {
		fmt.Fprintf(&b, "| %s | %s |\n", name, of(name))
	}
	b.WriteString("\n### Whole partitions of 1,024 rows, cold\n\n| | rows/s |\n| --- | ---: |\n")
	for _, name := range []string{forebayPartition, driverPartition} {
		fmt.Fprintf(&b, "| %s | %s |\n", name, of(name))
	}
	fmt.Fprintf(&b, "\n### One cold read at a time, from Python, in µs\n\n| | p50 | p99 |\n| --- | ---: | ---: |\n| GET through Forebay | %s | %s |\n| SELECT | %s | %s |\n| ratio | %s | %s |\n",
		of("get p50"), of("get p99"), of("select p50"), of("select p99"), ratio("get p50", "select p50").Ratio(), ratio("get p99", "select p99").Ratio())
	return b.String()
}
