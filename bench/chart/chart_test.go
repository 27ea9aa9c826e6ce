package chart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"forebay/bench/chart"
)

// drawn reads an SVG: all its text, and the elements by name.
func drawn(t *testing.T, svg []byte) (texts []string, elements map[string][]xml.StartElement) {
	t.Helper()
	elements = map[string][]xml.StartElement{}
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts, elements
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements[token.Name.Local] = append(elements[token.Name.Local], token.Copy())
		case xml.CharData:
			texts = append(texts, string(token))
		}
	}
}

func number(t *testing.T, e xml.StartElement, name string) float64 {
	t.Helper()
	for _, a := range e.Attr {
		if a.Name.Local == name {
			v, err := strconv.ParseFloat(a.Value, 64)
			if err != nil || math.IsNaN(v) {
				t.Fatalf("%s of %v: %v", name, e, err)
			}
			return v
		}
	}
	return 0
}

func TestSVG(t *testing.T) {
	c := chart.Chart{
		Title: `rates <"of"> A & B`, X: "commands of a pipeline (P)", Y: "commands a second", Places: []string{"1", "4", "16"},
		Series: []chart.Series{
			{"direct", []chart.Point{{80_000, 70_000, 90_000}, {300_000, 300_000, 300_000}, {1_000_000, 900_000, 2_000_000}}},
			{"not there", []chart.Point{{}, {}, {}}},
			{"in parts", []chart.Point{{50_000, 0, 0}, {}, {600_000, 0, 0}, {1, 1, 1}}},
		},
	}
	texts, elements := drawn(t, c.SVG())
	all := strings.Join(texts, "\n")
	for _, want := range []string{c.Title, c.X, c.Y, "direct", "not there", "in parts", "16", "100k", "2M", "prefers-color-scheme: dark"} {
		if !strings.Contains(all, want) {
			t.Errorf("no text %q", want)
		}
	}
	if got := len(elements["circle"]); got != 3+3+2 {
		t.Errorf("%d points and entries of the legend, want 8", got)
	}
	for _, e := range elements["circle"] {
		if x, y := number(t, e, "cx"), number(t, e, "cy"); x < 84 || x > 696 || y < 0 || y > 340 {
			t.Errorf("a point at %v, %v", x, y)
		}
	}
	high, low := number(t, elements["circle"][3], "cy"), number(t, elements["circle"][1], "cy")
	if high >= low {
		t.Errorf("a million is at %v, below 80,000 at %v", high, low)
	}
}

func TestAChartOfNothing(t *testing.T) {
	for _, c := range []chart.Chart{{}, {Places: []string{"1"}, Series: []chart.Series{{"none", nil}}}, {Series: make([]chart.Series, 9)}} {
		drawn(t, c.SVG())
	}
}
