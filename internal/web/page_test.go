package web_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"forebay/internal/event"
	"forebay/internal/metric"
	"forebay/internal/web"
)

func TestPageStandsAlone(t *testing.T) {
	page := recorded(t, whole(), loopback, http.MethodGet, "/")
	if page.Code != 200 || !strings.HasPrefix(page.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("status %d, %v", page.Code, page.Header())
	}
	html := page.Body.String()
	// The content policy would refuse these without a word.
	for _, inline := range []string{`<style`, ` style=`, ` on[a-z]+=`, `<script>`, `javascript:`, `https?://`, `src="[^/]`, `href="[^/#]`} {
		if found := regexp.MustCompile(inline).FindString(html); found != "" {
			t.Errorf("the page has %q", found)
		}
	}
	lines := 0
	for _, asset := range regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(html, -1) {
		w := recorded(t, whole(), loopback, http.MethodGet, asset[1])
		want := map[string]string{"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}[asset[1][strings.LastIndex(asset[1], ".")+1:]]
		if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), want) {
			t.Errorf("%s: status %d, %q", asset[1], w.Code, w.Header().Get("Content-Type"))
		}
		body := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "")
		if found := regexp.MustCompile(`https?://|@import|innerHTML|insertAdjacentHTML|document\.write|eval\(`).FindString(body); found != "" {
			t.Errorf("%s has %q", asset[1], found)
		}
		if strings.HasSuffix(asset[1], ".js") {
			lines += strings.Count(body, "\n")
		}
	}
	if lines == 0 || lines > 300 {
		t.Errorf("%d lines of script, want at most 300", lines)
	}
	// The page offers every kind there is.
	for _, k := range event.Kinds() {
		if !strings.Contains(html, "<option>"+k.String()+"</option>") {
			t.Errorf("the page does not offer %s", k)
		}
	}
}

func TestNoSuchPath(t *testing.T) {
	for _, path := range []string{
		"/nothing", "/api/v1/", "/api/v1/sessions", "/assets/", "/assets/nothing.js", "/assets/%2e%2e%2fasset.go",
		"/assets/..%2f..%2fweb.go", "/livez/", "/index.html",
	} {
		w := recorded(t, whole(), loopback, http.MethodGet, path)
		if code, _ := problemOf(t, w); w.Code != 404 || code != "not-found" {
			t.Errorf("%s: status %d, code %q", path, w.Code, code)
		}
	}
	for _, path := range []string{"/api/v1/stats", "/api/v1/routes", "/api/v1/values/k", "/events"} {
		if w := recorded(t, web.Options{}, loopback, http.MethodGet, path); w.Code != 404 {
			t.Errorf("%s without its part: status %d", path, w.Code)
		}
	}
}

func TestStatisticsRoutesAndMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, err := metric.New(metric.Options{Registerer: reg, Routes: []string{"mnist"}})
	if err != nil {
		t.Fatal(err)
	}
	m.Observe(&event.Event{Kind: event.Hit, Route: "mnist", Origin: event.FromRedis, Bytes: 10})
	o := web.Options{Stats: m.Snapshot, History: m.History, Routes: whole().Routes, Gatherer: reg}

	var stats struct {
		metric.Snapshot
		History []metric.Series
	}
	read := func(path string, into any) {
		t.Helper()
		w := recorded(t, o, loopback, http.MethodGet, path)
		if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s: status %d, %v", path, w.Code, w.Header())
		}
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
	read("/api/v1/stats", &stats)
	if stats.All.Total.Hits != 1 || stats.Routes[0].Total.Bytes != 10 || stats.History != nil {
		t.Errorf("%+v", stats)
	}
	read("/api/v1/stats?history=true", &stats)
	if len(stats.History) != 3 {
		t.Errorf("history %+v", stats.History)
	}
	if w := recorded(t, o, loopback, http.MethodGet, "/api/v1/stats?history=maybe"); w.Code != 400 {
		t.Errorf("a bad question: status %d", w.Code)
	}
	var routes struct{ Routes []web.RouteInfo }
	read("/api/v1/routes", &routes)
	if len(routes.Routes) != 1 || routes.Routes[0].Key != "mnist:{idx:int}" {
		t.Errorf("%+v", routes)
	}
	w := recorded(t, o, loopback, http.MethodGet, "/metrics")
	if want := `forebay_reads_total{origin="redis",result="hit",route="mnist"} 1`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("metrics are without %s", want)
	}
}
