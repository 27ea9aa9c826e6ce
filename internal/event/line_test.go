package event_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"forebay/internal/event"
)

// line returns what the pipeline writes for ev, without the end.
func line(t testing.TB, ev event.Event) string {
	t.Helper()
	sink := &memory{}
	p := event.New(event.Options{Proxy: `p"1`, Boot: 7, Sinks: []event.Sink{sink}})
	p.Start()
	p.Record(&ev)
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, l := range sink.lines() {
		return string(l)
	}
	return ""
}

func TestLines(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 4, 5, 6, 7089_999, time.FixedZone("", 3600))
	const head = `{"v":1,"proxy":"p\"1","boot":7,"seq":1,"time":"2026-11-23T03:05:06.007089Z","kind":`
	tests := map[string]struct {
		ev   event.Event
		want string
	}{
		"hit": {
			event.Event{Kind: event.Hit, Key: []byte("mnist:train:1"), DB: 2, Route: "mnist", Session: "run-42", Origin: event.FromNear, Bytes: 3136, Duration: 4600},
			`"hit","key":"mnist:train:1","db":2,"route":"mnist","session":"run-42","origin":"near","bytes":3136,"duration_us":5}`,
		},
		"hit of nothing": {
			event.Event{Kind: event.Hit, Key: []byte("k"), Origin: event.FromRedis},
			`"hit","key":"k","db":0,"origin":"redis","bytes":0}`,
		},
		"failed miss": {
			event.Event{Kind: event.Miss, Key: []byte("k"), Result: event.Failed, Error: "source \"down\"\n\tat\x00once"},
			`"miss","key":"k","db":0,"result":"error","error":"source \"down\"\n\u0009at\u0000once"}`,
		},
		"load":         {event.Event{Kind: event.Load, Route: "r", Rows: 0, Origin: event.FromSource}, `"load","route":"r","origin":"source","bytes":0,"rows":0}`},
		"eviction":     {event.Event{Kind: event.Evict, Key: []byte("é\u2028日"), Reason: event.Expired}, `"evict","key":"é` + "\u2028" + `日","db":0,"reason":"expired"}`},
		"binary key":   {event.Event{Kind: event.Evict, Key: []byte{0xff, 0, 'a'}, Reason: event.Evicted}, `"evict","key_b64":"/wBh","db":0,"reason":"evicted"}`},
		"log":          {event.Event{Kind: event.Log, Session: "s", Text: "loss 0.3 \x80"}, `"log","session":"s","text":"loss 0.3 ` + "\ufffd" + `"}`},
		"lost notices": {event.Event{Kind: event.Gap, Reason: event.Evicted, Count: 37, By: "redis"}, `"gap","reason":"evicted","count":37,"by":"redis"}`},
		"long key":     {event.Event{Kind: event.Hit, Key: bytes.Repeat([]byte("x"), 5000)}, `"hit","key":"` + strings.Repeat("x", 4096) + `","key_len":5000,"db":0,"bytes":0}`},
		"long key, cut in a rune": {
			event.Event{Kind: event.Hit, Key: []byte(strings.Repeat("x", 4095) + strings.Repeat("é", 9))},
			`"hit","key":"` + strings.Repeat("x", 4095) + `","key_len":4113,"db":0,"bytes":0}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.ev.Time = at
			got := line(t, tt.ev)
			if want := head + tt.want + "\n"; got != want {
				t.Errorf("line\n%swant\n%s", got, want)
			}
			parse(t, []byte(got))
		})
	}
}

func TestLongestLineFitsABatch(t *testing.T) {
	t.Parallel()
	worst := strings.Repeat("\x01", 10000)
	got := line(t, event.Event{
		Kind: event.Log, Key: []byte(worst), Text: worst, Error: worst, Route: worst, Session: worst, By: worst,
	})
	if len(got) == 0 || len(got) > event.MaxBatch {
		t.Errorf("line of %d bytes", len(got))
	}
	parse(t, []byte(got))
}

func FuzzLineIsJSONThatSaysWhatWasRecorded(f *testing.F) {
	f.Add([]byte("key"), "session", "text")
	f.Add([]byte{0xc3}, "\"\\\u2028", "\x00\x1f\x7f\xff")
	f.Add(bytes.Repeat([]byte{0xe6, 0x97, 0xa5}, 1400), "", "")
	f.Fuzz(func(t *testing.T, key []byte, session, text string) {
		l := line(t, event.Event{Kind: event.Log, Key: key, Session: session, Text: text})
		var w written
		if err := json.Unmarshal([]byte(l), &w); err != nil {
			t.Fatalf("line %q: %v", l, err)
		}
		if len(key) <= event.MaxKey {
			got := w.KeyB64
			if utf8.Valid(key) {
				got = []byte(w.Key)
			}
			if !bytes.Equal(got, key) {
				t.Errorf("key %q came back as %q", key, got)
			}
		} else if w.KeyLen != len(key) {
			t.Errorf("key_len %d, want %d", w.KeyLen, len(key))
		}
		if utf8.ValidString(session) && len(session) <= event.MaxName && w.Session != session {
			t.Errorf("session %q came back as %q", session, w.Session)
		}
		if utf8.ValidString(text) && len(text) <= event.MaxText && w.Text != text {
			t.Errorf("text %q came back as %q", text, w.Text)
		}
	})
}
