package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// measured is a bench of two rounds without twemproxy; the machine was twice as fast in the second.
func measured() *bench {
	deep := row{command: "GET", bytes: image, depth: 16, conns: 50}
	basic := row{command: "GET", bytes: small, depth: 1, conns: 50}
	twin, _ := basic.crossed()
	at := func(rate, proxy float64) []sample {
		return []sample{{rate: rate, p99: 4, redis: 2, proxy: proxy}, {rate: 2 * rate, p99: 6, redis: 2, proxy: proxy}}
	}
	return &bench{
		servers: &servers{targets: map[string]target{}},
		rows:    []row{deep, basic},
		series: series{
			deep:  {direct: at(1000, 0), forebay: at(750, 3), near: {{rate: 1600}, {rate: 2000}}},
			basic: {direct: at(850, 0), forebay: at(400, 5), kafka: at(300, 6)},
			twin:  {direct: at(1000, 0)},
		},
	}
}

func lineWith(t *testing.T, text string, parts ...string) string {
	t.Helper()
	for l := range strings.Lines(text) {
		if !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(l, p) }) {
			return strings.TrimSpace(l)
		}
	}
	t.Errorf("no line with %q in\n%s", parts, text)
	return ""
}

// The ratios are those of the rounds, not of the medians.
func TestReport(t *testing.T) {
	b := measured()
	report := b.report("the machine", []idleCost{{1000, map[string]float64{forebay: 5900}}}, "lost: 0")
	for _, want := range []string{
		"| GET | 3,136 | 16 | near | direct | **1.30** (1.00–1.60) | ≥ 1.50 | missed, within the spread |",
		"| GET | 3,136 | 16 | 1,500 (1,000–2,000) | – | 1,125 (750–1,500) | 1,800 (1,600–2,000) | **0.75** (0.75–0.75) | – | **1.30** (1.00–1.60) |",
		"| GET | 3,136 | 16 | 2.00 | – | 3.00 + 2.00 | 0 + 0 | – | 0 | 0 | 0 |",
		"| GET | 100 | 1 | kafka | forebay | **0.75** (0.75–0.75) | ≥ 0.85 | missed |",
		"| GET | 100 | 1 | 600 (400–800) | 450 (300–600) | **0.75** (0.75–0.75) |",
		"| 1,000 | – | – | 5.90 |",
		"measures itself** where it stays below nine tenths of redis-benchmark's rate straight to Redis: GET of 100 bytes, P=1 (0.85).",
		"twemproxy is not installed",
		"the machine", "lost: 0",
	} {
		lineWith(t, report, want)
	}
	b.series[b.rows[1]][direct] = []sample{{rate: 900}, {rate: 2000}}
	lineWith(t, b.generator(), "at least nine tenths")
	b.series = series{}
	lineWith(t, b.generator(), "No row")
	for _, c := range b.charts() {
		if err := xml.Unmarshal(c.SVG(), new(struct{})); err != nil {
			t.Error(err)
		}
	}
}

func TestPublish(t *testing.T) {
	dir := t.TempDir()
	charts := measured().charts()
	if err := publish(dir, "what was measured", charts); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil || !strings.Contains(string(text), "\nwhat was measured\n") {
		t.Errorf("%q, %v", text, err)
	}
	for name := range charts {
		if svg, err := os.ReadFile(filepath.Join(dir, name+".svg")); err != nil || !strings.Contains(string(svg), "GET") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
