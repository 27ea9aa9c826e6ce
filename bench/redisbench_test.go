package main

import (
	"strings"
	"testing"
)

func TestParseCSV(t *testing.T) {
	const header = `"test","rps","avg_latency_ms","p50_latency_ms","p99_latency_ms"` + "\n"
	tests := []struct {
		name, out string
		want      sample
		err       string
	}{
		{"one command", header + `"GET","42553.19","0.9","0.8","1.5"` + "\n", sample{rate: 42553.19, p50: 0.8, p99: 1.5}, ""},
		{"a warning before it", "WARNING: Could not fetch server CONFIG\n" + header + `"GET k","5","6","7","8"` + "\n", sample{rate: 5, p50: 7, p99: 8}, ""},
		{"nothing measured", header, sample{}, "1 lines"},
		{"no rate", header + `"GET","0.00","2","3","4"` + "\n", sample{}, "0 requests"},
		{"no number", header + `"GET","1","2","3","nan?"` + "\n", sample{}, "read its p99_latency_ms"},
		{"another table", `"test","rps"` + "\n" + `"GET","1"` + "\n", sample{}, "no column p"},
		{"an error", "Could not connect to Redis", sample{}, "no table"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseCSV(tt.out)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}
