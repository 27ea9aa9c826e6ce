package route

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"forebay/backend"
	"forebay/internal/route/numpy"
	"forebay/internal/route/pickle"
)

// field is one array or scalar of an encoded value, checked against the result's columns.
type field struct {
	name  string
	col   backend.Column
	index int // of the column in the row
	array bool
	dtype numpy.DType
	shape []int
}

// planEncode makes the encoder of a route with encode.
func (r *Route) planEncode(q *query) (problems []error) {
	e := r.spec.Encode
	fields := make([]field, len(e.Fields))
	size := 0
	for i := range e.Fields {
		f, err := newField(e.Format, &e.Fields[i], q.types)
		if err != nil {
			problems = append(problems, fmt.Errorf("encode %s%s: %w", e.Format, fieldLabel(&e.Fields[i]), err))
		}
		fields[i] = f
		size += f.size()
	}
	if len(problems) > 0 {
		return problems
	}
	q.sel.RowBytes = size
	first := &fields[0]
	switch {
	case e.Format == "npy":
		q.encode = first.npy
	case e.Format == "raw":
		q.encode = first.raw
	case first.name == "":
		q.encode = first.pickle
	default:
		q.encode = func(row backend.Row) ([]byte, error) { return pickleDict(fields, row) }
	}
	return nil
}

func newField(format string, spec *Field, types []backend.Column) (field, error) {
	f := field{name: spec.Name, shape: spec.Shape, array: spec.DType != ""}
	i, err := resultColumn(types, spec.Column)
	if err != nil {
		return f, err
	}
	f.index, f.col = i, types[i]
	if f.col.Type == backend.Other {
		return f, fmt.Errorf("column %s is %s, which cannot be encoded", f.col.Name, typeName(f.col))
	}
	if !f.array {
		if format == "raw" && f.col.Type == backend.List {
			return f, fmt.Errorf("column %s is %s; give the dtype of its array", f.col.Name, typeName(f.col))
		}
		return f, nil
	}
	if f.dtype, err = numpy.ParseDType(spec.DType); err != nil {
		return f, err
	}
	if f.col.Type != backend.Blob && f.col.Type != backend.List {
		return f, fmt.Errorf("column %s is %s and no array; leave out its dtype", f.col.Name, typeName(f.col))
	}
	return f, nil
}

// size is the column's expected size in bytes, or 0.
func (f *field) size() int {
	if !f.array || slices.Contains(f.shape, -1) || f.shape == nil {
		return 0
	}
	n := f.dtype.Size()
	for _, d := range f.shape {
		n *= d
	}
	return n
}

// data gives the array's bytes and shape. Those of a blob are the row's own.
func (f *field) data(row backend.Row) (data []byte, shape []int, err error) {
	defer func() {
		if err != nil {
			err = &columnError{f.col.Name, err}
		}
	}()
	switch v := row[f.index].(type) {
	case nil:
		return nil, nil, errNull
	case []byte:
		data = v
	case []any:
		if data, err = f.elements(v); err != nil {
			return nil, nil, err
		}
	default:
		return nil, nil, fmt.Errorf("has the unexpected type %T", v)
	}
	if shape, err = f.dtype.Resolve(f.shape, len(data)); err != nil {
		return nil, nil, err
	}
	if f.dtype.Kind() == 'b' {
		for i, c := range data {
			if c > 1 { // NumPy's behaviour is undefined for such a bool
				return nil, nil, fmt.Errorf("byte %d is %d, which is no bool", i, c)
			}
		}
	}
	return data, shape, nil
}

// elements converts a list to the array's type.
func (f *field) elements(list []any) (b []byte, err error) {
	b = make([]byte, 0, len(list)*f.dtype.Size())
	for i, e := range list {
		switch v := e.(type) {
		case int64:
			b, err = f.dtype.AppendInt(b, v)
		case float64:
			b, err = f.dtype.AppendFloat(b, v)
		case bool:
			b, err = f.dtype.AppendBool(b, v)
		default:
			err = fmt.Errorf("is a %T, which is no number", e)
		}
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return b, nil
}

func (f *field) raw(row backend.Row) ([]byte, error) {
	if !f.array {
		return columnValue(row[f.index], f.col)
	}
	data, _, err := f.data(row)
	return data, err
}

func (f *field) npy(row backend.Row) ([]byte, error) {
	data, shape, err := f.data(row)
	if err != nil {
		return nil, err
	}
	return numpy.AppendNPY(nil, f.dtype, shape, data), nil
}

func (f *field) pickle(row backend.Row) ([]byte, error) {
	if !f.array && row[f.index] == nil {
		return nil, &columnError{f.col.Name, errNull} // a bare None would look like an answer
	}
	b, err := f.appendPickle(pickle.AppendStart(nil), row)
	if err != nil {
		return nil, err
	}
	return pickle.AppendStop(b), nil
}

// pickleDict writes the fields as one dict, in their order. A scalar that is null is None; an array that is null is an error.
func pickleDict(fields []field, row backend.Row) ([]byte, error) {
	size := 16
	for i := range fields {
		size += len(fields[i].name) + 80
		if v, ok := row[fields[i].index].([]byte); ok {
			size += len(v)
		}
	}
	b := pickle.AppendDictStart(pickle.AppendStart(make([]byte, 0, size)))
	for i := range fields {
		var err error
		b = pickle.AppendString(b, fields[i].name)
		if b, err = fields[i].appendPickle(b, row); err != nil {
			return nil, err
		}
	}
	return pickle.AppendStop(pickle.AppendDictEnd(b)), nil
}

func (f *field) appendPickle(b []byte, row backend.Row) ([]byte, error) {
	if f.array {
		data, shape, err := f.data(row)
		if err != nil {
			return nil, err
		}
		return pickle.AppendArray(b, f.dtype, shape, data), nil
	}
	b, err := pickle.AppendValue(b, picklable(row[f.index]))
	if err != nil {
		return nil, &columnError{f.col.Name, errors.New("has a type that cannot be pickled")}
	}
	return b, nil
}

// picklable replaces times, in lists too, by their text form: a datetime would be one more global for a reader's policy to allow.
func picklable(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = picklable(v[i])
		}
		return out
	default:
		return v
	}
}
