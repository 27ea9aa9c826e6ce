package route

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"forebay/backend"
)

// getter gives the value that a key binds a column to, as the Go type that the column's backend.Type names.
// ok is false if no row can have such a value: a number beyond the column's range, say.
type getter func(m *Match, key []byte) (v any, ok bool)

// maxText is the longest text that can be part of a primary key in Cassandra, in bytes.
const maxText = math.MaxUint16

// newGetter makes the getter of an expression for a column. Its errors tell what to change in the key or in where.
func newGetter(e *expr, p *pattern, col backend.Column) (getter, error) {
	if e.constant() {
		v, err := convert(e.terms[0].literal, col)
		if err != nil {
			return nil, err
		}
		return func(*Match, []byte) (any, bool) { return v, true }, nil
	}
	t, one := e.single()
	if !one {
		if col.Type != backend.Text {
			return nil, fmt.Errorf("text around a part makes text, but the column is %s; write a part alone", typeName(col))
		}
		return textGetter(e, col), nil
	}
	pt := &p.parts[t.part]
	switch pt.kind {
	case integer:
		return intGetter(t, pt.name, col)
	case oneOf:
		return choiceGetter(t, pt, col)
	case uuid:
		return uuidGetter(t, pt.name, col, e)
	case hexa:
		if col.Type == backend.Blob {
			return blobGetter(t), nil
		}
	}
	if col.Type == backend.Text {
		return textGetter(e, col), nil
	}
	return nil, mismatch(pt, col)
}

// mismatch says which type the part needs for the column.
func mismatch(pt *part, col backend.Column) error {
	want := map[backend.Type]string{
		backend.Text: "{%s}", backend.Int: "{%s:int}", backend.UUID: "{%s:uuid}", backend.Blob: "{%s:hex}",
		backend.Timestamp: "{%s:int}", // Unix milliseconds
		backend.Bool:      "{%s:true|false}",
	}[col.Type]
	if want == "" {
		return fmt.Errorf("the column is %s, which no part of a key can bind", typeName(col))
	}
	return fmt.Errorf("part %s is %s, but the column is %s; write "+want+" in the key", pt.name, pt.kind, typeName(col), pt.name)
}

// typeName is the column's type as the source calls it.
func typeName(col backend.Column) string {
	if col.Native != "" {
		return col.Native
	}
	return col.Type.String()
}

func textGetter(e *expr, col backend.Column) getter {
	ascii := col.Native == "ascii"
	return func(m *Match, key []byte) (any, bool) {
		s, ok := e.text(m, key)
		return s, ok && validText(s, ascii)
	}
}

func validText(s string, ascii bool) bool {
	if len(s) > maxText || !utf8.ValidString(s) {
		return false
	}
	return !ascii || strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func intGetter(t term, name string, col backend.Column) (getter, error) {
	switch col.Type {
	case backend.Int:
		lo, hi := intRange(col)
		return func(m *Match, key []byte) (any, bool) {
			v, ok := t.int(m, key)
			return v, ok && v >= lo && v <= hi
		}, nil
	case backend.Timestamp:
		return func(m *Match, key []byte) (any, bool) {
			v, ok := t.int(m, key)
			return time.UnixMilli(v).UTC(), ok
		}, nil
	}
	return nil, mismatch(&part{name: name, kind: integer}, col)
}

// intRange is the smallest and the largest value of an integer column.
func intRange(col backend.Column) (lo, hi int64) {
	switch col.Native {
	case "tinyint":
		return math.MinInt8, math.MaxInt8
	case "smallint":
		return math.MinInt16, math.MaxInt16
	case "int":
		return math.MinInt32, math.MaxInt32
	default:
		return math.MinInt64, math.MaxInt64
	}
}

// choiceGetter converts a part's few alternatives once.
func choiceGetter(t term, pt *part, col backend.Column) (getter, error) {
	values := make(map[string]any, len(pt.alts))
	for _, a := range pt.alts {
		v, err := convert(a, col)
		if err != nil {
			return nil, fmt.Errorf("alternative of part %s: %w", pt.name, err)
		}
		values[a] = v
	}
	return func(m *Match, key []byte) (any, bool) {
		v, ok := values[string(m.bytes(t.part, key))]
		return v, ok
	}, nil
}

func uuidGetter(t term, name string, col backend.Column, e *expr) (getter, error) {
	switch col.Type {
	case backend.Text:
		return textGetter(e, col), nil
	case backend.UUID:
		timed := col.Native == "timeuuid"
		return func(m *Match, key []byte) (any, bool) {
			s := string(m.bytes(t.part, key))
			return s, !timed || s[14] == '1' // the version
		}, nil
	}
	return nil, mismatch(&part{name: name, kind: uuid}, col)
}

func blobGetter(t term) getter {
	return func(m *Match, key []byte) (any, bool) {
		b, err := hex.DecodeString(string(m.bytes(t.part, key)))
		return b, err == nil && len(b) <= maxText // an odd number of digits is no bytes
	}
}

// convert makes a literal the Go type of the column.
func convert(s string, col backend.Column) (any, error) {
	bad := func(want string) error { return fmt.Errorf("%q is no %s; write %s", s, typeName(col), want) }
	switch col.Type {
	case backend.Text:
		if !validText(s, col.Native == "ascii") {
			return nil, bad("text in its encoding, at most 65535 bytes")
		}
		return s, nil
	case backend.Int:
		v, err := strconv.ParseInt(s, 10, 64)
		if lo, hi := intRange(col); err != nil || v < lo || v > hi {
			return nil, bad(fmt.Sprintf("a whole number from %d to %d", lo, hi))
		}
		return v, nil
	case backend.Float:
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, bad("a number")
		}
		return v, nil
	case backend.Bool:
		if s != "true" && s != "false" {
			return nil, bad("true or false")
		}
		return s == "true", nil
	case backend.UUID:
		if s = strings.ToLower(s); !isUUID([]byte(s)) || col.Native == "timeuuid" && s[14] != '1' {
			return nil, bad("one of the form 01234567-89ab-1def-8123-456789abcdef")
		}
		return s, nil
	case backend.Blob:
		b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
		if err != nil || !strings.HasPrefix(s, "0x") {
			return nil, bad("0x and pairs of hexadecimal digits")
		}
		return b, nil
	case backend.Timestamp:
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return nil, bad("a time such as 2026-01-02T03:04:05Z")
		}
		return v.UTC().Truncate(time.Millisecond), nil
	}
	return nil, errors.New("the column is " + typeName(col) + ", which no route can bind")
}

// markerGetter is the getter for a marker of a cql route, whose type only the source knows: an int part alone gives an int64, everything
// else a string.
func markerGetter(e *expr, p *pattern) getter {
	if t, one := e.single(); one && p.parts[t.part].kind == integer {
		return func(m *Match, key []byte) (any, bool) {
			v, ok := t.int(m, key)
			return v, ok
		}
	}
	return textGetter(e, backend.Column{Type: backend.Text})
}
