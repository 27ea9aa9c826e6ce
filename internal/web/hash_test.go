package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"forebay/backend"
	"forebay/internal/web"
)

func TestHashIsJSON(t *testing.T) {
	hash := func(pairs ...string) web.Value {
		v := web.Value{Hash: true}
		for i := 0; i < len(pairs); i += 2 {
			v.Bytes = backend.AppendField(v.Bytes, []byte(pairs[i]), []byte(pairs[i+1]))
		}
		return v
	}
	for name, tt := range map[string]struct {
		value web.Value
		want  string
	}{
		"numbers are text, in order":  {hash("b", "1.5", "a", "42"), `{"a":"42","b":"1.5"}`},
		"text":                        {hash("stadt", "Köln \"am\" Rhein\n\x00<"), `{"stadt":"Köln \"am\" Rhein\n\u0000\u003c"}`},
		"bytes":                       {hash("data", "\xff\x00\x01", "n", ""), `{"data":{"base64":"/wAB"},"n":""}`},
		"text that looks like base64": {hash("base64", "/wAB"), `{"base64":"/wAB"}`},
	} {
		t.Run(name, func(t *testing.T) {
			o := web.Options{Values: values{"k": tt.value}}
			w := recorded(t, o, loopback, http.MethodGet, "/api/v1/values/k")
			if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" || w.Body.String() != tt.want+"\n" || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%d %s %s, want %s", w.Code, w.Header().Get("Content-Type"), w.Body, tt.want)
			}
			head := recorded(t, o, loopback, http.MethodHead, "/api/v1/values/k")
			if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("ETag") != w.Header().Get("ETag") {
				t.Errorf("HEAD: %d, ETag %s", head.Code, head.Header().Get("ETag"))
			}
		})
	}
	w := recorded(t, web.Options{Values: values{"k": hash("a", "1", "\xff", "2")}}, loopback, http.MethodGet, "/api/v1/values/k")
	if code, detail := problemOf(t, w); w.Code != 406 || code != "no-json" || !strings.Contains(detail, "HGETALL") {
		t.Errorf("a name that is no text: %d %q %q", w.Code, code, detail)
	}
}
