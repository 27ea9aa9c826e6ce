package metric_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"forebay/internal/event"
	"forebay/internal/metric"
)

func TestRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := build(t, "mnist")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Run(ctx)
		}()
		synctest.Wait()
		if s := m.Snapshot(); s.All.Last1s.Hits != 0 || s.All.HitRatio != nil {
			t.Errorf("before anything: %+v", s.All)
		}
		hit := &event.Event{Kind: event.Hit, Route: "mnist", Origin: event.FromNear, Bytes: 100}
		miss := &event.Event{Kind: event.Miss, Route: "mnist", Result: event.Loaded}
		// Ten seconds of 2 hits and 2 misses, then one of 6 hits.
		for i := range 11 {
			for range 2 {
				m.Observe(hit)
				m.Observe(miss)
			}
			if i == 10 {
				for range 4 {
					m.Observe(hit)
				}
			}
			time.Sleep(time.Second) // the bubble's clock
			synctest.Wait()
		}
		got := m.Snapshot()
		for _, r := range []metric.RouteStats{got.All, got.Routes[0]} {
			if r.Total.Hits != 26 || r.Total.NearHits != 26 || r.Total.Misses != 22 || r.Total.Bytes != 2600 {
				t.Errorf("route %q: total %+v", r.Route, r.Total)
			}
			if r.Last1s.Hits != 6 || r.Last1s.Misses != 2 || *r.Last1s.HitRatio != 0.75 || r.Last1s.Bytes != 600 {
				t.Errorf("route %q: last second %+v", r.Route, r.Last1s)
			}
			if r.Last10s.Hits != 2.4 || r.Last10s.Misses != 2 {
				t.Errorf("route %q: last ten seconds %+v", r.Route, r.Last10s)
			}
		}
		if last := got.Routes[len(got.Routes)-1]; last.Route != metric.UnroutedLabel || last.Total.Hits != 0 {
			t.Errorf("last route %+v", last)
		}
		if got.UptimeSeconds != 11 {
			t.Errorf("uptime %v s, want 11", got.UptimeSeconds)
		}
		cancel()
		<-done
	})
}

func TestHistoryIsOneMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, _ := build(t, "mnist")
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Run(ctx)
		}()
		time.Sleep(time.Second / 2) // the bubble's clock; between two samples from here on
		for range 150 {
			m.Observe(&event.Event{Kind: event.Evict, Route: "mnist", Reason: event.Evicted})
			time.Sleep(time.Second)
		}
		<-done
		history := m.History()
		if len(history) != 3 || history[0].Route != "" || history[1].Route != "mnist" {
			t.Fatalf("series %+v", history)
		}
		for _, series := range history[:2] {
			if len(series.Points) != 60 {
				t.Errorf("%d points, want 60", len(series.Points))
			}
			for i, p := range series.Points {
				if p.Evictions != 1 || i > 0 && p.Time.Sub(series.Points[i-1].Time) != time.Second {
					t.Errorf("point %d: %+v", i, p)
				}
			}
		}
	})
}

func TestSnapshotIsJSON(t *testing.T) {
	m, _ := build(t, "mnist")
	body, err := json.Marshal(m.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Routes []struct {
			Route    string
			HitRatio *float64 `json:"hit_ratio"`
		}
		Clients *int64
	}
	if err := json.Unmarshal(body, &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Routes) != 2 || back.Routes[0].HitRatio != nil || back.Clients != nil {
		t.Errorf("%s", body)
	}
}
