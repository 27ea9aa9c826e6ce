package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"forebay/bench/chart"
	"forebay/bench/figure"
	"forebay/bench/page"
)

// The report's name in README.md, and what writes it.
const (
	reportName = "bench"
	reportBy   = "make bench"
)

// report is what was measured, in Markdown.
func (b *bench) report(machine string, costs []idleCost, lost string) string {
	var s strings.Builder
	section := func(title, intro, table string) { fmt.Fprintf(&s, "### %s\n\n%s\n\n%s\n", title, intro, table) }
	fmt.Fprintf(&s, "%s\n\n", machine)
	if _, there := b.targets[twemproxy]; !there {
		s.WriteString("twemproxy is not installed: its columns are empty.\n\n")
	}
	section("Against the targets", "Ratios of rates within a round: **median** (least–most).", b.goalsTable())
	section("Commands a second", "Median (least–most) of the rounds.", b.ratesTable())
	for _, name := range []string{"throughput-depth", "throughput-size"} {
		fmt.Fprintf(&s, "![%s](%s.svg)\n", name, name)
	}
	s.WriteString("\n")
	section("How long a command takes", "p50 / p99 / p99.9 in milliseconds, medians of the rounds. At a fixed rate, from when a command was due.", b.latencyTable())
	for _, name := range []string{"p99-depth", "p99-size"} {
		fmt.Fprintf(&s, "![%s](%s.svg)\n", name, name)
	}
	s.WriteString("\n")
	section("CPU and memory", "Microseconds of CPU a command, the proxy's + Redis's, and the most memory of the processes while the row ran.", b.costTable())
	section("Events", lost, b.eventsTable())
	section("Idle connections", "Memory of the process for each connection that has asked once and is silent since, in kB; the kernel's is not in it.", idleTable(costs))
	section("redis-benchmark", b.generator(), b.crossTable())
	return s.String()
}

// charts are the drawings, by the names of their files.
func (b *bench) charts() map[string]chart.Chart {
	byDepth := func(r row) bool { return r.command == "GET" && r.bytes == small && r.rate == 0 }
	bySize := func(r row) bool {
		return r.command == "GET" && r.depth == 1 && r.conns == 50 && r.rate == 0 && !r.cross
	}
	const depths, sizes = "commands sent at once (P), GET of 100 bytes, 50 connections", "bytes of a value, GET at P=1, 50 connections"
	depth := func(r row) string { return fmt.Sprint(r.depth) }
	size := func(r row) string { return figure.Amount(float64(r.bytes)) }
	p99 := func(s sample) float64 { return s.p99 }
	return map[string]chart.Chart{
		"throughput-depth": b.chart("Throughput by depth", depths, "commands a second", byDepth, depth, rate),
		"throughput-size":  b.chart("Throughput by size", sizes, "commands a second", bySize, size, rate),
		"p99-depth":        b.chart("99th percentile by depth", depths, "milliseconds", byDepth, depth, p99),
		"p99-size":         b.chart("99th percentile by size", sizes, "milliseconds", bySize, size, p99),
	}
}

func (b *bench) chart(title, x, y string, in func(row) bool, place func(row) string, f func(sample) float64) chart.Chart {
	c := chart.Chart{Title: title, X: x, Y: y + ", median and spread"}
	rows := slices.DeleteFunc(slices.Clone(b.rows), func(r row) bool { return !in(r) })
	for _, r := range rows {
		c.Places = append(c.Places, place(r))
	}
	for _, name := range columns() {
		s := chart.Series{Name: name}
		for _, r := range rows {
			spread := figure.Of(b.series.of(r, name, f))
			s.Points = append(s.Points, chart.Point{Mid: spread.Median, Low: spread.Least, High: spread.Most})
		}
		c.Series = append(c.Series, s)
	}
	return c
}

// publish writes the report into README.md of a folder, between its lines, and the charts beside it.
func publish(dir, report string, charts map[string]chart.Chart) error {
	if err := page.Write(dir, reportName, reportBy, report); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	for name, c := range charts {
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), c.SVG(), 0o644); err != nil {
			return fmt.Errorf("write chart: %w", err)
		}
	}
	return nil
}
