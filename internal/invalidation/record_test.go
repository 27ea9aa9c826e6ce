package invalidation_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"forebay/internal/invalidation"
)

func TestParse(t *testing.T) {
	tests := []struct {
		name, key, value string
		want             []string // "db key", or "route name"
		err              string
	}{
		{"one key", "", "t:1", []string{"0 t:1"}, ""},
		{"lines", "ignored", "t:1\r\n\nt:2\n", []string{"0 t:1", "0 t:2"}, ""},
		{"a compacted topic's", "t:7", "", []string{"0 t:7"}, ""},
		{"JSON", "", `{"key":"t:1","db":3}` + "\n" + `{"key_b64":"dDox"}`, []string{"3 t:1", "0 t:1"}, ""},
		{"of a route", "", `{"route":"u","values":{"id":12345678901234567}}`, []string{"0 u:12345678901234567:x"}, ""},
		{"values as text", "", `{"route":"u","values":{"id":"-5"}}`, []string{"0 u:-5:x"}, ""},
		{"a whole route", "", `{"route":"t"}`, []string{"route t"}, ""},
		{"nothing at all", "", "", nil, "neither key nor value"},
		{"not JSON, beside what is good", "", "{oops\nt:1", []string{"0 t:1"}, "oops"},
		{"two ways at once", "", `{"key":"a","route":"t"}`, nil, "want key, key_b64 or route"},
		{"no such route", "", `{"route":"x"}`, nil, "no such route"},
		{"a part is missing", "", `{"route":"t","values":{}}`, nil, "part id has no value"},
		{"a part too many", "", `{"route":"t","values":{"id":1,"x":2}}`, nil, "no part"},
		{"not of its type", "", `{"route":"t","values":{"id":"007"}}`, nil, "does not match"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changes, err := invalidation.Parse(table(t), []byte(tt.key), []byte(tt.value))
			var got []string
			for _, c := range changes {
				if c.Key == nil {
					got = append(got, "route "+c.Route.Name)
					continue
				}
				got = append(got, fmt.Sprintf("%d %s", c.DB, c.Key))
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
		})
	}
}
