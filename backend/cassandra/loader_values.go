package cassandra

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// writable tells whether a file's values can be written to a column of this type.
func writable(native string) bool {
	native = unfreeze(native)
	for _, open := range []string{"list<", "set<", "vector<"} {
		if inner, ok := strings.CutPrefix(native, open); ok {
			inner, _, _ = strings.Cut(strings.TrimSuffix(inner, ">"), ",")
			return writable(inner) && !strings.Contains(inner, "<")
		}
	}
	switch native {
	case "ascii", "text", "varchar", "tinyint", "smallint", "int", "bigint", "varint", "float", "double", "boolean", "blob", "uuid",
		"timeuuid", "timestamp", "date":
		return true
	}
	return false
}

// cellValue turns a file's value into one for a column of Cassandra's type, with the bytes it takes, about. A text is taken for what the
// column is: CSV has nothing else, and a JSON text may hold a large number. null and Unset fit every column.
func cellValue(native string, v any) (bound any, size int, err error) {
	native = unfreeze(native)
	switch v.(type) {
	case nil:
		return nil, 0, nil
	case Unset:
		return gocql.UnsetValue, 0, nil
	}
	for _, open := range []string{"list<", "set<", "vector<"} {
		if inner, ok := strings.CutPrefix(native, open); ok {
			return listValue(native, strings.TrimSuffix(inner, ">"), v)
		}
	}
	text, isText := v.(string)
	switch native {
	case "ascii", "text", "varchar":
		return textValue(native, v)
	case "boolean":
		if b, ok := v.(bool); ok {
			return b, 1, nil
		}
	}
	if n, ok := v.(json.Number); ok {
		text, isText = n.String(), true
	}
	if !isText {
		return nil, 0, fmt.Errorf("a JSON %s is no %s", jsonName(v), native)
	}
	return parseCell(native, text)
}

func textValue(native string, v any) (any, int, error) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return nil, 0, err
		}
		text = string(b)
	}
	if !utf8.ValidString(text) {
		return nil, 0, errors.New("the text is no UTF-8")
	}
	if native == "ascii" && strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return nil, 0, fmt.Errorf("%.40q is not ASCII", text)
	}
	return text, len(text), nil
}

func parseCell(native, text string) (any, int, error) {
	refuse := func(err error) (any, int, error) {
		if errors.Is(err, strconv.ErrRange) {
			return nil, 0, fmt.Errorf("%.40q does not fit %s", text, native)
		}
		return nil, 0, fmt.Errorf("%.40q is no %s", text, native)
	}
	switch native {
	case "tinyint", "smallint", "int", "bigint":
		return parseInt(native, text, refuse)
	case "varint":
		n, ok := new(big.Int).SetString(text, 10)
		if !ok {
			return refuse(nil)
		}
		return n, len(text), nil
	case "float", "double":
		bits := map[string]int{"float": 32, "double": 64}[native]
		f, err := strconv.ParseFloat(text, bits)
		if err != nil || (math.IsInf(f, 0) || math.IsNaN(f)) && len(text) > 9 {
			return refuse(err)
		}
		if bits == 32 {
			return float32(f), 4, nil
		}
		return f, 8, nil
	case "boolean":
		if text == "true" || text == "false" {
			return text == "true", 1, nil
		}
	case "blob":
		b, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
		if err == nil && strings.HasPrefix(text, "0x") {
			return b, len(b), nil
		}
		return nil, 0, fmt.Errorf("%.40q is no blob: it is written as 0x and hexadecimal digits", text)
	case "uuid", "timeuuid":
		u, err := gocql.ParseUUID(text)
		if err != nil || native == "timeuuid" && u.Version() != 1 {
			return refuse(nil)
		}
		return u, 16, nil
	case "timestamp":
		if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
			return time.UnixMilli(ms).UTC(), 8, nil
		}
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return nil, 0, fmt.Errorf("%.40q is no timestamp: it is written as 2006-01-02T15:04:05Z or in milliseconds", text)
		}
		return t.UTC().Truncate(time.Millisecond), 8, nil
	case "date":
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return refuse(nil)
		}
		return t, 4, nil
	}
	return refuse(nil)
}

func parseInt(native, text string, refuse func(error) (any, int, error)) (any, int, error) {
	bits := map[string]int{"tinyint": 8, "smallint": 16, "int": 32, "bigint": 64}[native]
	n, err := strconv.ParseInt(text, 10, bits)
	if err != nil {
		return refuse(err)
	}
	switch bits {
	case 8:
		return int8(n), 1, nil
	case 16:
		return int16(n), 2, nil
	case 32:
		return int32(n), 4, nil
	default:
		return n, 8, nil
	}
}

// listValue takes a JSON array, or the text of one, as CSV has it.
func listValue(native, inner string, v any) (any, int, error) {
	inner, dims, isVector := strings.Cut(inner, ",")
	if text, ok := v.(string); ok {
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var list []any
		if err := d.Decode(&list); err != nil || d.InputOffset() != int64(len(text)) {
			return nil, 0, fmt.Errorf("%.40q is no %s: it is written as a JSON array", text, native)
		}
		v = list
	}
	list, ok := v.([]any)
	if !ok {
		return nil, 0, fmt.Errorf("a JSON %s is no %s", jsonName(v), native)
	}
	if n, _ := strconv.Atoi(strings.TrimSpace(dims)); isVector && n != len(list) {
		return nil, 0, fmt.Errorf("a list of %d is no %s", len(list), native)
	}
	values, total := make([]any, len(list)), 0
	for i, e := range list {
		b, size, err := cellValue(inner, e)
		if err == nil && b == nil {
			err = fmt.Errorf("null is no %s", inner)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("element %d: %w", i, err)
		}
		values[i] = b
		total += size + 4
	}
	return values, total, nil
}

func jsonName(v any) string {
	switch v.(type) {
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "text"
	case []any:
		return "array"
	default:
		return "object"
	}
}
