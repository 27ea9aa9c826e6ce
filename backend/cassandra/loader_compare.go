package cassandra

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// compare reads a row by its key and tells what differs, "" for nothing.
func (w *rowWriter) compare(ctx context.Context, r boundRow) (differs string, err error) {
	key := make([]any, len(w.key))
	for i, at := range w.key {
		key[i] = r.values[at]
	}
	cells, dest := make([]comparison, len(r.values)), make([]any, len(r.values))
	for i := range cells {
		cells[i].want = r.values[i]
		dest[i] = &cells[i]
	}
	err = w.loader.session.Query(w.read, key...).ScanContext(ctx, dest...)
	if errors.Is(err, gocql.ErrNotFound) {
		return "is missing", nil
	}
	if err != nil {
		return "", fail(fmt.Sprintf("read row %d", r.index), err)
	}
	for i, c := range cells {
		if !c.equal {
			differs += fmt.Sprintf(", %s", w.columns[i].Name)
		}
	}
	if differs != "" {
		differs = "differs in " + strings.TrimPrefix(differs, ", ")
	}
	return differs, nil
}

// comparison receives a cell and compares it with what it should be, in the form in which it is sent.
type comparison struct {
	want  any
	equal bool
}

// UnmarshalCQL compares.
func (c *comparison) UnmarshalCQL(info gocql.TypeInfo, data []byte) error {
	if c.want == gocql.UnsetValue {
		c.equal = true
		return nil
	}
	want, err := gocql.Marshal(info, c.want)
	if err != nil {
		return err
	}
	if t := info.Type(); t == gocql.TypeList || t == gocql.TypeSet {
		have, okHave := elements(data)
		wanted, okWant := elements(want)
		if okHave && okWant && t == gocql.TypeSet { // Cassandra's order, and each once
			have, wanted = sorted(have), sorted(wanted)
		}
		c.equal = okHave && okWant && slices.EqualFunc(have, wanted, bytes.Equal)
		return nil
	}
	c.equal = bytes.Equal(want, data) && (want == nil) == (data == nil)
	return nil
}

// elements takes a list or set apart. An empty one is stored as null.
func elements(data []byte) (all [][]byte, ok bool) {
	if len(data) == 0 {
		return nil, true
	}
	if len(data) < 4 {
		return nil, false
	}
	n := binary.BigEndian.Uint32(data)
	data = data[4:]
	for range n {
		if len(data) < 4 {
			return nil, false
		}
		size := int(int32(binary.BigEndian.Uint32(data)))
		data = data[4:]
		if size < 0 || size > len(data) {
			return nil, false
		}
		all = append(all, data[:size])
		data = data[size:]
	}
	return all, len(data) == 0
}

func sorted(all [][]byte) [][]byte {
	all = slices.SortedFunc(slices.Values(all), bytes.Compare)
	return slices.CompactFunc(all, bytes.Equal)
}
