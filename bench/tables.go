package main

import (
	"fmt"
	"slices"
	"strings"

	"forebay/bench/figure"
)

// table is one in Markdown.
type table struct{ b strings.Builder }

// newTable begins a table: its columns beside the first stand to the right.
func newTable(columns ...string) *table {
	t := &table{}
	t.row(columns...)
	t.b.WriteString("| --- |" + strings.Repeat(" ---: |", len(columns)-1) + "\n")
	return t
}

func (t *table) row(cells ...string) { t.b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }

// names are the first cells of a row.
func (r row) names() []string {
	return []string{r.command, figure.Amount(float64(r.bytes)), fmt.Sprint(r.depth)}
}

// columns are the targets that tables of rows show; kafka has its own.
func columns() []string { return []string{direct, twemproxy, forebay, near} }

// ratio is that of the rates of two targets in the same rounds.
func (s series) ratio(r row, of, to string) figure.Spread {
	return figure.Of(figure.Ratios(s.of(r, of, rate), s.of(r, to, rate)))
}

// median is that of a figure, written; "–" where nothing was measured.
func (s series) median(r row, target string, f func(sample) float64) string {
	if len(s[r][target]) == 0 {
		return "–"
	}
	return figure.Amount(figure.Of(s.of(r, target, f)).Median)
}

// goalsTable sets ratios against what they are to be.
func (b *bench) goalsTable() string {
	t := newTable("", "bytes", "P", "of", "to", "ratio", "wanted", "")
	for _, g := range goals() {
		if s := b.series.ratio(g.row, g.of, g.to); s != (figure.Spread{}) {
			t.row(append(g.names(), g.of, g.to, s.Ratio(), fmt.Sprintf("≥ %.2f", g.want), s.Verdict(g.want))...)
		}
	}
	return t.b.String()
}

// ratesTable shows rates and ratios.
func (b *bench) ratesTable() string {
	t := newTable("", "bytes", "P", direct, twemproxy, forebay, near, "forebay / direct", "forebay / twemproxy", "near / direct")
	for _, r := range b.rows {
		if r.rate > 0 {
			continue
		}
		cells := r.names()
		for _, name := range columns() {
			cells = append(cells, figure.Of(b.series.of(r, name, rate)).String())
		}
		t.row(append(cells, b.series.ratio(r, forebay, direct).Ratio(), b.series.ratio(r, forebay, twemproxy).Ratio(),
			b.series.ratio(r, near, direct).Ratio())...)
	}
	return t.b.String()
}

// latencyTable shows medians of percentiles. Rows of a fixed rate have it in their last cell.
func (b *bench) latencyTable() string {
	t := newTable("", "bytes", "P", direct, twemproxy, forebay, near, "rate")
	for _, r := range b.rows {
		cells := r.names()
		for _, name := range columns() {
			cell := "–"
			if len(b.series[r][name]) > 0 {
				cell = b.series.median(r, name, func(s sample) float64 { return s.p50 }) + " / " +
					b.series.median(r, name, func(s sample) float64 { return s.p99 }) + " / " +
					b.series.median(r, name, func(s sample) float64 { return s.p999 })
			}
			cells = append(cells, cell)
		}
		at := "full"
		if r.rate > 0 {
			at = figure.Amount(float64(r.rate)) + "/s"
		}
		t.row(append(cells, at)...)
	}
	return t.b.String()
}

// costTable shows CPU a command and the most memory: the proxy's, a plus, and Redis's.
func (b *bench) costTable() string {
	t := newTable("", "bytes", "P", direct+" µs", twemproxy+" µs", forebay+" µs", near+" µs", twemproxy+" MB", forebay+" MB", near+" MB", "Redis MB")
	for _, r := range b.rows {
		redis := func(s sample) float64 { return s.redis }
		cells := append(r.names(), b.series.median(r, direct, redis))
		for _, name := range columns()[1:] {
			cell := "–"
			if len(b.series[r][name]) > 0 {
				cell = b.series.median(r, name, func(s sample) float64 { return s.proxy }) + " + " + b.series.median(r, name, redis)
			}
			cells = append(cells, cell)
		}
		for _, name := range columns()[1:] {
			cells = append(cells, b.series.median(r, name, func(s sample) float64 { return s.peakMB }))
		}
		t.row(append(cells, b.series.median(r, direct, func(s sample) float64 { return s.redisMB }))...)
	}
	return t.b.String()
}

// eventsTable shows what events in Kafka cost.
func (b *bench) eventsTable() string {
	t := newTable("", "bytes", "P", "live stream only", "and Kafka", "ratio")
	for _, r := range b.rows {
		if len(b.series[r][kafka]) > 0 {
			t.row(append(r.names(), figure.Of(b.series.of(r, forebay, rate)).String(), figure.Of(b.series.of(r, kafka, rate)).String(),
				b.series.ratio(r, kafka, forebay).Ratio())...)
		}
	}
	return t.b.String()
}

// crossTable sets redis-benchmark beside the load generator.
func (b *bench) crossTable() string {
	t := newTable("", "bytes", "P", direct, twemproxy, forebay, "forebay / twemproxy", "bench/load / redis-benchmark, direct")
	for _, r := range b.rows {
		twin, crossed := r.crossed()
		if !crossed {
			continue
		}
		cells := r.names()
		for _, name := range []string{direct, twemproxy, forebay} {
			cells = append(cells, figure.Of(b.series.of(twin, name, rate)).String())
		}
		t.row(append(cells, b.series.ratio(twin, forebay, twemproxy).Ratio(), b.ours(r).Ratio())...)
	}
	return t.b.String()
}

// ours is the rate of the load generator over that of redis-benchmark, straight to Redis.
func (b *bench) ours(r row) figure.Spread {
	twin, _ := r.crossed()
	return figure.Of(figure.Ratios(b.series.of(r, direct, rate), b.series.of(twin, direct, rate)))
}

// generator says whether the load generator is what bounds the figures.
func (b *bench) generator() string {
	var slow []string
	for _, r := range b.rows {
		if s := b.ours(r); s.Most > 0 && s.Median < 0.9 {
			slow = append(slow, fmt.Sprintf("%v (%.2f)", r, s.Median))
		}
	}
	if !slices.ContainsFunc(b.rows, func(r row) bool { return b.ours(r).Most > 0 }) {
		return "No row of this run was measured by both."
	}
	if slow == nil {
		return "Straight to Redis, `bench/load` reached at least nine tenths of redis-benchmark's rate in every row."
	}
	return "**The load generator measures itself** where it stays below nine tenths of redis-benchmark's rate straight to Redis: " +
		strings.Join(slow, "; ") + "."
}

// idleTable shows what a connection costs that once asked and then is silent.
func idleTable(costs []idleCost) string {
	t := newTable("connections", direct, twemproxy, forebay)
	for _, c := range costs {
		cells := []string{figure.Amount(float64(c.conns))}
		for _, name := range []string{direct, twemproxy, forebay} {
			cell := "–"
			if bytes, there := c.servers[name]; there {
				cell = figure.Amount(bytes / 1000)
			}
			cells = append(cells, cell)
		}
		t.row(cells...)
	}
	return t.b.String()
}
