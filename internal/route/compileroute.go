package route

import (
	"errors"
	"fmt"
	"math"

	"forebay/internal/route/numpy"
)

// bind is a where-expression and the column or marker it is for.
type bind struct {
	column string
	expr   expr
}

// compileRoute checks a specification as far as that goes without the source's schema. It always returns a route.
func compileRoute(index int, s Spec) (r *Route, problems []error) {
	r = &Route{Name: s.Name, DB: s.DB, TTL: s.TTL, Jitter: s.Jitter, AbsentTTL: s.AbsentTTL, index: index, spec: s}
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if s.Name == "" {
		bad("name: missing; events and metrics need one")
	}
	if s.DB < 0 {
		bad("db: %d is below 0", s.DB)
	}
	if s.TTL <= 0 {
		bad("ttl: %v is not above 0", s.TTL)
	}
	if s.AbsentTTL < 0 {
		bad("absent_ttl: %v is below 0", s.AbsentTTL)
	}
	if !(s.Jitter >= 0 && s.Jitter <= 0.5) { // also refuses NaN
		bad("jitter: %v is not between 0 and 50%%", s.Jitter)
	}
	problems = append(problems, s.checkAges()...)
	problems = append(problems, r.compileRules()...)
	if s.ReadAhead < 0 || s.ReadAhead > 0 && (s.CQL != "" || s.Object != nil) {
		bad("read_ahead: is for routes with table and where; leave it out")
	}
	var err error
	if r.key, err = compilePattern(s.Key); err != nil {
		bad("key %q: %w", s.Key, err)
		return r, append(problems, checkValue(&s)...)
	}
	where := s.Where
	switch {
	case s.Object != nil:
		var bad []error
		where, bad = r.checkObject()
		problems = append(problems, bad...)
	case s.Table == "" && s.CQL == "":
		bad("table: missing; give table and where, or cql")
	case s.Table != "" && s.CQL != "":
		bad("cql: stands in for table and where; give one or the other")
	case s.Table != "" && len(s.Where) == 0:
		bad("where: missing; it says how the key names the row, as in where: {id: \"{id}\"}")
	}
	seen := map[string]bool{}
	for _, w := range where {
		if seen[w.Column] {
			bad("where: column %s stands twice", w.Column)
			continue
		}
		seen[w.Column] = true
		e, err := compileExpr(w.Expr, &r.key)
		if err != nil {
			bad("%s %s %q: %w", r.clause(), w.Column, w.Expr, err)
			continue
		}
		r.binds = append(r.binds, bind{w.Column, e})
	}
	if s.CQL != "" && len(problems) == 0 {
		problems = append(problems, r.compileMarkers()...)
	}
	return r, append(problems, checkValue(&s)...)
}

// clause is the key of the configuration that the route's expressions stand under.
func (r *Route) clause() string {
	if r.IsObject() {
		return "object"
	}
	return "where"
}

// checkValue checks the value and encode fields.
func checkValue(s *Spec) (problems []error) {
	if s.Object != nil {
		return nil // checkObject has
	}
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(s.Hash) > 0 {
		if s.Value != "" || s.Encode != nil {
			bad("hash: stands in for value and encode; give one of them")
		}
		seen := map[string]bool{}
		for _, name := range s.Hash {
			if name == "" || seen[name] {
				bad("hash: column %q is empty or stands twice", name)
			}
			seen[name] = true
		}
		return problems
	}
	if s.Encode == nil {
		if s.Value == "" && s.CQL == "" {
			bad("value: missing; name the column that is the value, or encode several")
		}
		return problems
	}
	if s.Value != "" {
		bad("encode: stands in for value; give one or the other")
	}
	e := s.Encode
	switch e.Format {
	case "raw", "npy":
		if len(e.Fields) != 1 || e.Fields[0].Name != "" {
			bad("encode %s: takes exactly one column and no names", e.Format)
		}
	case "pickle":
		if len(e.Fields) == 0 {
			bad("encode pickle: has no fields")
		}
		names := map[string]bool{}
		for _, f := range e.Fields {
			switch {
			case f.Name == "" && len(e.Fields) > 1:
				bad("encode pickle: a field has no name; in a dict every one needs it")
			case names[f.Name]:
				bad("encode pickle: field %q stands twice", f.Name)
			}
			names[f.Name] = true
		}
	default:
		bad("encode: unknown format %q; allowed are raw, npy, pickle", e.Format)
	}
	for i := range e.Fields {
		if err := checkField(e.Format, &e.Fields[i]); err != nil {
			bad("encode %s%s: %w", e.Format, fieldLabel(&e.Fields[i]), err)
		}
	}
	return problems
}

func fieldLabel(f *Field) string {
	if f.Name == "" {
		return ""
	}
	return " " + f.Name
}

func checkField(format string, f *Field) error {
	if f.Column == "" {
		return errors.New("column: missing")
	}
	if f.DType == "" {
		if f.Shape != nil {
			return errors.New("shape: needs a dtype beside it")
		}
		if format == "npy" {
			return errors.New("dtype: missing; an array needs one such as uint8 or <f4")
		}
		return nil
	}
	d, err := numpy.ParseDType(f.DType)
	if err != nil {
		return fmt.Errorf("dtype: %w", err)
	}
	size, open := d.Size(), false
	for _, n := range f.Shape {
		switch {
		case n == -1 && !open:
			open = true
		case n == -1:
			return fmt.Errorf("shape %v: has more than one -1", f.Shape)
		case n < 1:
			return fmt.Errorf("shape %v: %d is not above 0", f.Shape, n)
		case size > math.MaxInt32/n:
			return fmt.Errorf("shape %v: is over 2 GiB", f.Shape)
		default:
			size *= n
		}
	}
	return nil
}
