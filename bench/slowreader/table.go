package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"forebay/bench/figure"
)

// each makes one figure of each.
func each[T any](list []T, figure func(T) float64) []float64 {
	out := make([]float64, len(list))
	for i, v := range list {
		out[i] = figure(v)
	}
	return out
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// writeTables prints both tables, in Markdown: median (least–most) of the rounds.
func writeTables(w io.Writer, o options, all smalls, object objects) error {
	var b strings.Builder
	fmt.Fprintf(&b, "GETs of %d bytes over one connection, beside one reader of %.0f MB (slow: %.0f MB/s): median (least–most) of %d rounds of %v.\n\n",
		smallSize, float64(o.size)/1e6, float64(o.rate)/1e6, o.rounds, o.phase)
	b.WriteString("| | beside | p50 µs | p99 µs | most µs | p99 / idle |\n| --- | --- | ---: | ---: | ---: | ---: |\n")
	p50, p99, most := func(l latency) float64 { return micros(l.p50) }, func(l latency) float64 { return micros(l.p99) }, func(l latency) float64 { return micros(l.most) }
	for _, target := range targets() {
		idle := each(all[setting{target, "idle"}], p99)
		for _, beside := range besides() {
			l := all[setting{target, beside}]
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", target, beside,
				figure.Of(each(l, p50)), figure.Of(each(l, p99)), figure.Of(each(l, most)), figure.Of(figure.Ratios(each(l, p99), idle)).Ratio())
		}
	}
	if len(object.cold) > 0 {
		fmt.Fprintf(&b, "\n%d clients at once, each reading an object of %.0f MB.\n\n| | s | / direct | peak memory of Forebay, MB |\n| --- | ---: | ---: | ---: |\n",
			o.clients, float64(o.size)/1e6)
		seconds, megabytes := func(r reads) float64 { return r.took.Seconds() }, func(r reads) float64 { return float64(r.peak) / 1e6 }
		direct := each(object.direct, seconds)
		for _, row := range []struct {
			name string
			list []reads
		}{{"through Forebay, cold: from Cassandra", object.cold}, {"through Forebay, cached", object.warm}} {
			t := each(row.list, seconds)
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row.name, figure.Of(t), figure.Of(figure.Ratios(t, direct)).Ratio(), figure.Of(each(row.list, megabytes)))
		}
		fmt.Fprintf(&b, "| straight from Redis | %s | | |\n", figure.Of(direct))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
