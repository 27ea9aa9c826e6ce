package config

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "512": 512, "7B": 7, "64KiB": 64 << 10, "256mib": 256 << 20, "1GB": 1e9, "1.5 KiB": 1536,
		"2TiB": 2 << 40, "9223372036854775807": 1<<63 - 1,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "B", "KiB", "1M", "1K", "-1", "+1", "1e3", "0.5B", "1.3333KiB", "9223372036854775808", "8388608TiB", "0x10", "1_000", "1..2", ".5KiB",
		"1 2KiB", "99999999999999999999999999999999999", " 1", "NaN",
	} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "250ms": 250 * time.Millisecond, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "-1s": -time.Second,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "1", "60", "d", "1d1", "-1d", "1d-1h", "1.5d", "1w", "65536d", "65535d99999999h", "1h1d"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", time.Hour: "1h", 90 * time.Minute: "1h30m", time.Minute: "1m", 10 * time.Minute: "10m", 30 * time.Second: "30s",
		24 * time.Hour: "1d", 36 * time.Hour: "36h", time.Hour + time.Second: "1h0m1s", -time.Minute: "-1m",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}

func TestParts(t *testing.T) {
	for text, want := range map[string]float64{"10%": 0.1, "0.1": 0.1, "0": 0, "7 %": 0.07, "12.5%": 0.125, "1": 1, "100%": 1} {
		if got, err := parsePercent(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "%", "-1%", "nan", "inf", "1e-2", "10%%", "ten"} {
		if got, err := parsePercent(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestUnitsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1<<62).Draw(t, "bytes")
		if got, err := parseSize(formatSize(n)); err != nil || got != n {
			t.Fatalf("%d is written %s and read %d, %v", n, formatSize(n), got, err)
		}
		d := time.Duration(rapid.Int64Range(0, int64(60000*day)).Draw(t, "duration"))
		if got, err := parseDuration(formatDuration(d)); err != nil || got != d {
			t.Fatalf("%d is written %s and read %d, %v", d, formatDuration(d), got, err)
		}
		part := float64(rapid.IntRange(0, 1e6).Draw(t, "part")) / 1e6
		if got, err := parsePercent(formatPercent(part)); err != nil || got-part > 1e-12 || part-got > 1e-12 {
			t.Fatalf("%v is written %s and read %v, %v", part, formatPercent(part), got, err)
		}
	})
}

func TestNearest(t *testing.T) {
	known := []string{"address", "auth", "hosts", "timeout", "ttl"}
	for text, want := range map[string]string{
		"adress": "address", "Address": "address", "host": "hosts", "tiemout": "timeout", "ttl_": "ttl", "x": "", "password": "",
	} {
		if got := nearest(text, known); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
