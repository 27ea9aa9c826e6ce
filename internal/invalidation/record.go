package invalidation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"forebay/internal/route"
)

// Change is what one line of a record says has changed: a key, or, where Key is nil, a whole route.
type Change struct {
	DB    int
	Key   []byte
	Route *route.Route
}

// line is a line of JSON.
type line struct {
	Key    *string        `json:"key"`
	KeyB64 []byte         `json:"key_b64"`
	DB     int            `json:"db"`
	Route  string         `json:"route"`
	Values map[string]any `json:"values"`
}

// Parse reads a record. Its value is lines, each a key of database 0 as it is, or a JSON object:
//
//	mnist:train:7
//	{"key":"mnist:train:7","db":2}
//	{"key_b64":"bW5pc3Q6dHJhaW46Nw=="}
//	{"route":"mnist","values":{"split":"train","idx":7}}
//	{"route":"mnist"}
//
// The last is every key of the route. A record without a value names its own key, as topics do that are compacted. Lines that say nothing are
// errors, joined; the others count.
func Parse(routes *route.Table, key, value []byte) (changes []Change, err error) {
	if len(bytes.TrimSpace(value)) == 0 {
		if len(key) == 0 {
			return nil, errors.New("record has neither key nor value")
		}
		return []Change{{Key: key}}, nil
	}
	var errs []error
	for text := range bytes.SplitSeq(value, []byte("\n")) {
		text = bytes.TrimSuffix(text, []byte("\r"))
		switch {
		case len(bytes.TrimSpace(text)) == 0:
		case text[0] != '{':
			changes = append(changes, Change{Key: text})
		default:
			c, err := parseLine(routes, text)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			changes = append(changes, c)
		}
	}
	return changes, errors.Join(errs...)
}

func parseLine(routes *route.Table, text []byte) (c Change, err error) {
	var l line
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&l); err != nil {
		return c, fmt.Errorf("line %.100q: %w", text, err)
	}
	switch {
	case l.Key != nil && l.Route == "" && l.KeyB64 == nil:
		return Change{DB: l.DB, Key: []byte(*l.Key)}, nil
	case l.KeyB64 != nil && l.Key == nil && l.Route == "":
		return Change{DB: l.DB, Key: l.KeyB64}, nil
	case l.Route == "" || l.Key != nil || l.KeyB64 != nil:
		return c, fmt.Errorf("line %.100q: want key, key_b64 or route", text)
	}
	for _, r := range routes.Routes() {
		if r.Name != l.Route {
			continue
		}
		if l.Values == nil {
			return Change{DB: r.DB, Route: r}, nil
		}
		values := make(map[string]string, len(l.Values))
		for name, v := range l.Values {
			values[name] = strings.TrimSpace(fmt.Sprint(v))
		}
		key, err := r.Key(values)
		return Change{DB: r.DB, Key: key}, err
	}
	return c, fmt.Errorf("line %.100q: there is no such route", text)
}
