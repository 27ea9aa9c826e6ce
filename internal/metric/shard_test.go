package metric_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"forebay/internal/metric"
)

func TestRequestBuckets(t *testing.T) {
	m, reg := build(t)
	shard := m.Commands().Shard()
	for _, d := range []time.Duration{
		-time.Second, 0, 25 * time.Microsecond, // first bucket
		25*time.Microsecond + 1, 50 * time.Microsecond, // second
		50*time.Microsecond + 1,               // third
		3276800 * time.Microsecond,            // last bounded one
		3276800*time.Microsecond + 1, 1 << 62, // beyond
	} {
		shard.Observe(metric.Get, d)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "forebay_request_duration_seconds" {
			continue
		}
		for _, s := range f.GetMetric() {
			if s.GetLabel()[0].GetValue() != "get" {
				continue
			}
			var le []string
			for _, b := range s.GetHistogram().GetBucket() {
				le = append(le, fmt.Sprintf("%g:%d", b.GetUpperBound(), b.GetCumulativeCount()))
			}
			got := strings.Join([]string{le[0], le[1], le[2], le[len(le)-2], le[len(le)-1]}, " ")
			if want := "2.5e-05:3 5e-05:5 0.0001:6 1.6384:6 3.2768:7"; got != want {
				t.Errorf("buckets %s, want %s", got, want)
			}
			if n := s.GetHistogram().GetSampleCount(); n != 9 {
				t.Errorf("%d observations, want 9", n)
			}
			return
		}
	}
	t.Error("no histogram of get")
}

func TestShardsAddUp(t *testing.T) {
	m, reg := build(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			shard := m.Commands().Shard()
			for range 1000 {
				shard.Observe(metric.MGet, time.Millisecond)
				shard.Observe(metric.CommandID(250), 0)
			}
		})
	}
	wg.Wait()
	got := scrape(t, reg)
	if n := got["forebay_requests_total{cmd=mget}"]; n != 16000 {
		t.Errorf("mget %v, want 16000", n)
	}
	if n := got["forebay_requests_total{cmd=other}"]; n != 16000 {
		t.Errorf("other %v, want 16000", n)
	}
	if s := got["forebay_request_duration_seconds{cmd=mget} sum"]; math.Abs(s-16) > 1e-6 {
		t.Errorf("sum %v s, want 16", s)
	}
	if n := m.Snapshot().Requests; n != 32000 {
		t.Errorf("snapshot has %d requests, want 32000", n)
	}
}

func BenchmarkShardObserve(b *testing.B) {
	m, _ := build(b)
	shard := m.Commands().Shard()
	for b.Loop() {
		shard.Observe(metric.Get, 30*time.Microsecond)
	}
}
