package dataset

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// columns learns the columns of a file and their types.
type columns struct {
	order []string
	kinds map[string]kind
}

func newColumns() *columns { return &columns{kinds: map[string]kind{}} }

// kind is a CQL type that holds the values seen so far; none before the first.
type kind string

const (
	none     kind = ""
	integers kind = "bigint"
	floats   kind = "double"
	booleans kind = "boolean"
	uuids    kind = "uuid"
	texts    kind = "text"
)

func (c *columns) columns() (found []RecordColumn) {
	for _, name := range c.order {
		k := c.kinds[name]
		switch k {
		case none: // nothing but nulls
			k = texts
		case listOf(none): // nothing but empty lists
			k = listOf(texts)
		}
		found = append(found, RecordColumn{name, string(k)})
	}
	return found
}

func (c *columns) add(f field, typed bool) error {
	before, known := c.kinds[f.name]
	if !known {
		if len(c.order) == MaxColumns {
			return fmt.Errorf("the column %q is one more than %d", f.name, MaxColumns)
		}
		c.order = append(c.order, f.name)
		c.kinds[f.name] = none
	}
	var k kind
	if text, ok := f.value.(string); ok && !typed {
		if before == texts {
			return nil
		}
		k = kindOfText(text)
	} else {
		k = kindOf(f.value)
	}
	c.kinds[f.name] = join(before, k)
	return nil
}

// join is the kind that holds values of both.
func join(a, b kind) kind {
	switch {
	case a == b || b == none:
		return a
	case a == none:
		return b
	case a == integers && b == floats || a == floats && b == integers:
		return floats
	case isList(a) && isList(b):
		return listOf(join(elem(a), elem(b)))
	default:
		return texts
	}
}

func isList(k kind) bool { return len(k) > 5 && k[:5] == "list<" }
func elem(k kind) kind   { return k[5 : len(k)-1] }
func listOf(k kind) kind { return "list<" + k + ">" }

var uuidText = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// kindOfText tells what a field of CSV may be. Numbers with leading zeros are texts, as they would not be spelled so again.
func kindOfText(s string) kind {
	switch {
	case len(s) > 0 && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s)):
		return kindOfNumber(s)
	case s == "true" || s == "false":
		return booleans
	case uuidText.MatchString(s):
		return uuids
	}
	return texts
}

// kindOfNumber tells what a number is. A whole one beyond 64 bits is a text: as a double it would lose digits.
func kindOfNumber(s string) kind {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
		return integers
	}
	if !strings.ContainsAny(s, ".eE") && s != "-0" {
		return texts
	}
	return floats
}

// kindOf tells what a JSON value is. An object is kept as its text.
func kindOf(v any) kind {
	switch v := v.(type) {
	case nil:
		return none
	case bool:
		return booleans
	case json.Number:
		return kindOfNumber(v.String())
	case string:
		if uuidText.MatchString(v) {
			return uuids
		}
		return texts
	case []any:
		of := none
		for _, e := range v {
			of = join(of, kindOf(e))
		}
		if isList(of) { // CQL freezes lists in lists; the text says it all
			return texts
		}
		return listOf(of)
	default:
		return texts
	}
}
