package config

import (
	"errors"
	"fmt"
	"strings"

	"forebay/internal/route"
)

const (
	maxDims     = 32        // NumPy 1's most dimensions of an array
	maxDim      = 1<<31 - 1 // of one dimension
	maxElements = 1<<31 - 1 // of a whole array
)

// dtypeName accepts the form of a NumPy type's name ("uint8", "<f4"); which of them can be encoded is for the encoder to say.
func dtypeName(s string) error {
	name := strings.TrimLeft(s, "<>|=")
	if len(s)-len(name) > 1 || name == "" || len(name) > 16 || !only(name, "?") || strings.ToLower(name) != name {
		return errors.New("want a NumPy type, as uint8 or <f4")
	}
	return nil
}

// routes judges each route, then what they are together.
func (v *validator) routes() {
	names, keys := make(map[string]int), make(map[string]int)
	for i := range v.c.Routes {
		r, path := &v.c.Routes[i], fmt.Sprintf("routes[%d]", i)
		v.form(r, path)
		for _, f := range r.fields(path) {
			v.routeBounds(r, f)
		}
		v.rules(r, path+".validate")
		v.ahead(r, path)
		v.ages(r, path+".ttl")
		if first, ok := names[r.Name]; ok && r.Name != "" {
			v.fail(path+".name", clip(r.Name), fmt.Sprintf("want a name of its own; routes[%d] has it", first))
		} else {
			names[r.Name] = i
		}
		pattern := fmt.Sprint(r.DB, " ", r.Key)
		if first, ok := keys[pattern]; ok && r.Key != "" {
			v.fail(path+".key", clip(r.Key), fmt.Sprintf("want a pattern of its own; routes[%d] has it and always wins", first))
		} else {
			keys[pattern] = i
		}
	}
}

// routeBounds judges one field of a route's table. A TTL that is not given is the default's.
func (v *validator) routeBounds(r *Route, f field) {
	if strings.HasSuffix(f.path, ".ttl") {
		after, other := v.c.Given(f.path+".after"), false
		for _, part := range r.ttlFields(f.path) {
			other = other || v.c.Given(part.path)
		}
		if r.TTL == 0 && !after && (other || !v.c.Given(f.path)) {
			return
		}
		if after {
			f.path += ".after"
		}
	}
	v.bounds(f)
}

// shaped reports whether a key that makes a route's form is already wrong, so that complaints of what is missing would only
// follow from it.
func (v *validator) shaped(path string) bool {
	for _, p := range v.list {
		key, ok := strings.CutPrefix(p.Path, path+".")
		if p.Path == path {
			return true
		}
		if !ok {
			continue
		}
		switch key, _, _ = strings.Cut(key, "."); key {
		case "name", "key", "db", "ttl", "absent_ttl", "after_use", "read_ahead", "read_ahead_bytes", "validate":
		default:
			return true
		}
	}
	return false
}

// form judges that a route has exactly one form, whole.
func (v *validator) form(r *Route, path string) {
	if v.shaped(path) {
		return
	}
	switch {
	case r.Object != nil:
		v.objectForm(r, path)
	case r.CQL != "":
		v.without(path, "cql", r, "table", "hash")
		if r.Value != "" && r.Encode != nil {
			v.fail(path+".encode", "", "want value or encode, not both")
		}
	case r.Table != "":
		v.tableForm(r, path)
	default:
		v.fail(path+".table", "", "want table and where, or cql, or object")
	}
	v.binds(r, path)
	v.encoding(r, path)
}

// ahead judges what is read ahead.
func (v *validator) ahead(r *Route, path string) {
	if r.ReadAhead == ReadAheadPartition && (r.CQL != "" || r.Object != nil) {
		v.fail(path+".read_ahead", r.ReadAhead, "want it on routes with table and where only: of others the partition is not known")
	}
	if r.ReadAheadBytes != 0 && r.ReadAhead != ReadAheadPartition {
		v.fail(path+".read_ahead_bytes", formatSize(r.ReadAheadBytes), "want read_ahead: "+ReadAheadPartition+" beside it")
	}
}

func (v *validator) objectForm(r *Route, path string) {
	v.without(path, "object", r, "table", "where", "cql", "value", "encode", "hash")
	for _, part := range []struct{ key, text string }{{"dataset", r.Object.Dataset}, {"name", r.Object.Name}} {
		if part.text == "" || printable(part.text) != nil {
			v.fail(path+".object."+part.key, clip(part.text), "want text, with {part} for a part of the key")
		}
	}
	if v.needsKeyspace() {
		v.fail(path+".object", "", "want source.cassandra.keyspace: objects are read from its tables")
	}
}

func (v *validator) tableForm(r *Route, path string) {
	if len(r.Where) == 0 {
		v.fail(path+".where", "", "want the columns that find the row, with the whole partition key")
	}
	forms := 0
	for _, has := range []bool{r.Value != "", r.Encode != nil, len(r.Hash) > 0} {
		if has {
			forms++
		}
	}
	if forms != 1 {
		v.fail(path+".value", "", "want exactly one of value, encode and hash")
	}
	if v.needsKeyspace() && !strings.Contains(r.Table, ".") {
		v.fail(path+".table", clip(r.Table), "want keyspace.table, or source.cassandra.keyspace")
	}
}

// needsKeyspace reports whether a table without a keyspace is in none.
func (v *validator) needsKeyspace() bool {
	s := v.c.Source
	return len(s.Cassandra.Hosts) > 0 && s.Cassandra.Keyspace == "" && !v.covers("source.cassandra.keyspace")
}

// without refuses keys that have no meaning beside key.
func (v *validator) without(path, key string, r *Route, others ...string) {
	has := map[string]bool{
		"table": r.Table != "", "where": len(r.Where) > 0, "cql": r.CQL != "", "value": r.Value != "",
		"encode": r.Encode != nil, "hash": len(r.Hash) > 0,
	}
	for _, other := range others {
		if has[other] {
			v.fail(path+"."+other, "", fmt.Sprintf("want no %s beside %s", other, key))
		}
	}
}

func (v *validator) binds(r *Route, path string) {
	for _, b := range r.Where {
		at := path + ".where." + keyText(b.Column)
		if err := column(b.Column); err != nil {
			v.fail(at, "", err.Error())
			continue
		}
		if b.Expr != "" && printable(b.Expr) != nil {
			v.fail(at, clip(b.Expr), "want no control characters")
		}
	}
}

// encoding judges the arrays and scalars of an encoded value.
func (v *validator) encoding(r *Route, path string) {
	if r.Encode == nil {
		return
	}
	at := path + ".encode." + r.Encode.Format
	if len(r.Encode.Fields) == 0 {
		v.fail(at, "", "want at least one column")
	}
	for _, f := range r.Encode.Fields {
		at := at
		if f.Name != "" {
			at += "." + keyText(f.Name)
		}
		if column(f.Column) != nil {
			v.fail(at+".column", clip(f.Column), "want "+wantColumn)
		}
		switch {
		case f.DType == "" && r.Encode.Format == "npy":
			v.fail(at+".dtype", "", "want a NumPy type, as uint8 or <f4")
		case f.DType == "" && f.Shape != nil:
			v.fail(at+".shape", fmt.Sprint(f.Shape), "want dtype beside shape")
		case f.DType != "" && dtypeName(f.DType) != nil:
			v.fail(at+".dtype", clip(f.DType), dtypeName(f.DType).Error())
		}
		if err := shape(f); err != nil {
			v.fail(at+".shape", fmt.Sprint(f.Shape), err.Error())
		}
	}
}

// shape judges an array's dimensions: one may be -1, worked out from the length.
func shape(f route.Field) error {
	if len(f.Shape) > maxDims {
		return fmt.Errorf("want at most %d dimensions", maxDims)
	}
	elements, open := 1, false
	for _, d := range f.Shape {
		switch {
		case d == -1 && !open:
			open = true
		case d < 1:
			return errors.New("want dimensions of 1 or more, at most one of them -1")
		case d > maxElements/elements:
			return fmt.Errorf("want at most %d elements", maxElements)
		default:
			elements *= d
		}
	}
	return nil
}
