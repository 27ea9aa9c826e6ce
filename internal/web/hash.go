package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"forebay/backend"
)

// errNoJSON means that a hash has a field whose name cannot stand in JSON.
var errNoJSON = errors.New("a field's name is no text")

// bytesField is a field whose bytes are not UTF-8, and so no string of JSON.
type bytesField struct {
	Base64 []byte `json:"base64"` // padded, as encoding/json writes bytes
}

// hashJSON turns a hash (see [backend.AppendField]) into a JSON object, its fields in the order of their names: each a string, as Redis has numbers as
// text too, or {"base64": "…"} where it is not UTF-8. The error is errNoJSON.
func hashJSON(hash []byte) ([]byte, error) {
	fields := map[string]any{}
	var err error
	backend.EachField(hash, func(name, value []byte) {
		switch {
		case !utf8.Valid(name):
			err = fmt.Errorf("%w: %q", errNoJSON, name)
		case utf8.Valid(value):
			fields[string(name)] = string(value)
		default:
			fields[string(name)] = bytesField{value}
		}
	})
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("write a hash as JSON: %w", err)
	}
	return append(b, '\n'), nil
}
