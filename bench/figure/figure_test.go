package figure_test

import (
	"slices"
	"testing"

	"forebay/bench/figure"
)

func TestOf(t *testing.T) {
	for name, tt := range map[string]struct {
		figures []float64
		want    figure.Spread
	}{
		"none":             {nil, figure.Spread{}},
		"one":              {[]float64{4}, figure.Spread{Median: 4, Least: 4, Most: 4}},
		"an even number":   {[]float64{4, 1, 3, 8}, figure.Spread{Median: 3.5, Least: 1, Most: 8}},
		"an odd number":    {[]float64{9, 1, 2}, figure.Spread{Median: 2, Least: 1, Most: 9}},
		"one that is away": {[]float64{1, 1, 1, 1, 100}, figure.Spread{Median: 1, Least: 1, Most: 100}},
	} {
		given := slices.Clone(tt.figures)
		if got := figure.Of(tt.figures); got != tt.want || !slices.Equal(given, tt.figures) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// The ratios are those of the rounds: here the machine was ten times as fast in the second.
func TestRatios(t *testing.T) {
	of, to := []float64{50, 2000, 7, 9}, []float64{100, 1000, 0}
	got := figure.Ratios(of, to)
	if want := []float64{0.5, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if s := figure.Of(got).Ratio(); s != "**1.25** (0.50–2.00)" {
		t.Error(s)
	}
	if s := figure.Of(figure.Ratios(nil, to)).Ratio(); s != "–" {
		t.Error(s)
	}
}

func TestAmount(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 1: "1.00", 0.5: "0.500", 0.01234: "0.0123", 0.00001: "0.0000", 12.34: "12.3", 99.96: "100.0", 100: "100", 1234.5: "1,234",
		999: "999", 1_234_567: "1,234,567", -1234: "-1,234", -123: "-123",
	} {
		if got := figure.Amount(f); got != want {
			t.Errorf("%v is %s, want %s", f, got, want)
		}
	}
	if got := (figure.Spread{Median: 1500, Least: 2, Most: 30_000}).String(); got != "1,500 (2.00–30,000)" {
		t.Error(got)
	}
}

func TestVerdict(t *testing.T) {
	for want, s := range map[string]figure.Spread{
		"met":                       {Median: 1.2, Least: 1, Most: 3},
		"met, within the spread":    {Median: 1.2, Least: 0.9, Most: 3},
		"missed":                    {Median: 0.8, Least: 0.7, Most: 0.9},
		"missed, within the spread": {Median: 0.8, Least: 0.7, Most: 1},
	} {
		if got := s.Verdict(1); got != want {
			t.Errorf("%v: %s, want %s", s, got, want)
		}
	}
}
