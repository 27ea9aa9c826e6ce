package route

import (
	"errors"
	"fmt"
	"strings"

	"forebay/backend"
	"forebay/internal/check"
)

// HeadBytes is how much of an object's beginning is held to the rules: it always holds the header of a NumPy file.
const HeadBytes = 64 << 10

// checksum is the column with the checksum of the value, "" for none.
func (r *Route) checksum() string {
	if r.spec.Validate == nil {
		return ""
	}
	return r.spec.Validate.Checksum
}

// compileRules makes the route's rules, and refuses what cannot be held.
func (r *Route) compileRules() (problems []error) {
	v := r.spec.Validate
	if v == nil {
		return nil
	}
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("validate: "+format, args...))
	}
	rules := check.Rules{MinBytes: v.MinBytes, MaxBytes: v.MaxBytes}
	var ok bool
	if rules.Format, ok = check.ParseFormat(orElse(v.Format, check.Any.String())); !ok {
		bad("unknown format %q; allowed are any, pickle, npy", v.Format)
	}
	if rules.Pickle, ok = check.ParsePolicy(orElse(v.Pickle, check.Off.String())); !ok {
		bad("unknown pickle policy %q; allowed are off, log, reject", v.Pickle)
	}
	for _, err := range each(rules.Validate()) {
		bad("%w", err)
	}
	s := &r.spec
	switch {
	case len(s.Hash) > 0:
		bad("the values of a hash route are not checked; leave it out")
	case s.Object != nil && rules.Pickle == check.Reject:
		bad("pickle reject: an object is checked by its first %d bytes, and the policy needs all of them; use log or off", HeadBytes)
	case s.Object != nil && v.Checksum != "":
		bad("checksum: an object's own is always compared; leave it out")
	case s.Encode != nil && s.Encode.Format != "raw" && rules.Format != check.Any && s.Encode.Format != rules.Format.String(),
		s.Encode != nil && s.Encode.Format == "npy" && rules.Pickle != check.Off:
		bad("encode %s makes no value that would be admitted", s.Encode.Format)
	case s.Encode != nil && v.Checksum != "":
		bad("checksum: is that of a column's bytes as stored, and encode makes other bytes; leave it out, or use value")
	case v.Checksum != "" && v.Checksum == s.Value:
		bad("checksum: column %s is the value itself", v.Checksum)
	}
	if rules != (check.Rules{}) {
		r.Rules = &rules
	}
	return problems
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// each is the errors that were joined to err.
func each(err error) []error {
	joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err)
	if !ok {
		return nil
	}
	return joined.Unwrap()
}

// planChecksum finds the checksum of the value's column among the result's.
func (r *Route) planChecksum(q *query, value backend.Column) []error {
	name := r.checksum()
	if name == "" {
		return nil
	}
	i, err := resultColumn(q.types, name)
	switch {
	case err != nil:
		return []error{fmt.Errorf("validate: checksum: %w", err)}
	case q.types[i].Type != backend.Int:
		return []error{fmt.Errorf("validate: checksum: column %s is %s, not an int or bigint", name, typeName(q.types[i]))}
	case value.Type != backend.Blob:
		return []error{fmt.Errorf("validate: checksum: column %s is of column %s, which is %s; only the bytes of a blob have one", name, value.Name, typeName(value))}
	}
	q.sum = i + 1
	return nil
}

// Verify holds a value to what its route demands, with the row that it was made of: first its checksum, then its rules. The error is a
// [*check.Error] or nil.
func (r *Route) Verify(row backend.Row, value []byte) error {
	if r.spec.Validate == nil {
		return nil
	}
	if q := r.bound.Load(); q != nil && q.sum > 0 {
		var stored any
		if q.sum <= len(row) {
			stored = row[q.sum-1]
		}
		if err := check.Sum(value, r.checksum(), stored); err != nil {
			return err
		}
	}
	return r.Check(value)
}

// Check holds a whole value to the route's rules; one of an object route by its beginning, since a larger one passes through piece by piece and
// must not be judged otherwise. The error is a [*check.Error] or nil.
func (r *Route) Check(value []byte) error {
	switch {
	case r.Rules == nil:
		return nil
	case r.IsObject():
		return r.CheckHead(value[:min(len(value), HeadBytes)], int64(len(value)))
	default:
		return r.Rules.Check(value)
	}
}

// CheckHead holds to the route's rules what the first bytes of a value of size bytes tell. The error is a [*check.Error] or nil.
func (r *Route) CheckHead(head []byte, size int64) error {
	if r.Rules == nil {
		return nil
	}
	return r.Rules.Header(head, size)
}

// explainRules writes what the route demands of its values, if anything.
func (r *Route) explainRules(b *strings.Builder) {
	v := r.spec.Validate
	if v == nil || *v == (Validate{}) {
		return
	}
	var all []string
	add := func(has bool, format string, args ...any) {
		if has {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	add(v.MinBytes > 0, "at least %d bytes", v.MinBytes)
	add(v.MaxBytes > 0, "at most %d bytes", v.MaxBytes)
	add(r.Rules != nil && r.Rules.Format != check.Any, "format %s", v.Format)
	add(r.Rules != nil && r.Rules.Pickle != check.Off, "pickle policy %s", v.Pickle)
	add(v.Checksum != "", "crc32c in column %s", v.Checksum)
	if len(all) > 0 {
		fmt.Fprintf(b, "rules  %s\n", strings.Join(all, ", "))
	}
}
