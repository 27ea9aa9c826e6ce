package check

import (
	"errors"
	"fmt"
	"hash/crc32"

	"forebay/backend"
)

// ErrPolicy is wrapped by every finding of the pickle policy, refused or only to be logged.
var ErrPolicy = errors.New("pickle policy")

// Format is what the bytes of a value must be.
type Format uint8

// The formats. The zero Format asks for nothing.
const (
	Any    Format = iota
	Pickle        // one whole pickle, protocol 0 to 5, and nothing after it
	NPY           // one whole .npy file of fixed-size elements
)

// ParseFormat returns the format that configuration spells s ("any", "pickle", "npy"), or false.
func ParseFormat(s string) (Format, bool) {
	for f := Any; f <= NPY; f++ {
		if f.String() == s {
			return f, true
		}
	}
	return 0, false
}

// String returns the format as configuration spells it.
func (f Format) String() string {
	switch f {
	case Any:
		return "any"
	case Pickle:
		return "pickle"
	case NPY:
		return "npy"
	default:
		return "unknown"
	}
}

// Policy says what becomes of a value that the pickle policy (see the package comment) does not admit.
type Policy uint8

// The policies. The zero Policy looks at nothing.
const (
	Off    Policy = iota
	Log           // it is reported and served
	Reject        // it is not served
)

// ParsePolicy returns the policy that configuration spells s ("off", "log", "reject"), or false.
func ParsePolicy(s string) (Policy, bool) {
	for p := Off; p <= Reject; p++ {
		if p.String() == s {
			return p, true
		}
	}
	return 0, false
}

// String returns the policy as configuration spells it.
func (p Policy) String() string {
	switch p {
	case Off:
		return "off"
	case Log:
		return "log"
	case Reject:
		return "reject"
	default:
		return "unknown"
	}
}

// Rules is what a route demands of its values. The zero Rules demands nothing. Rules are safe for concurrent use while nobody
// changes them.
type Rules struct {
	MinBytes int64  // least length in bytes
	MaxBytes int64  // greatest length in bytes; 0 is no bound
	Format   Format // what the bytes must be
	Pickle   Policy // unless Off, every value must be a pickle that the policy admits
}

// Validate reports rules that no value could meet, each in one line: bounds below zero or crossed, a format or policy that does not
// exist, a pickle policy for values that are no pickles.
func (r *Rules) Validate() error {
	var all []error
	report := func(bad bool, format string, args ...any) {
		if bad {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	report(r.MinBytes < 0, "least length %d is below zero", r.MinBytes)
	report(r.MaxBytes < 0, "greatest length %d is below zero", r.MaxBytes)
	report(r.MaxBytes > 0 && r.MaxBytes < r.MinBytes, "greatest length %d is below the least, %d", r.MaxBytes, r.MinBytes)
	report(r.Format > NPY, "no such format: %d", r.Format)
	report(r.Pickle > Reject, "no such pickle policy: %d", r.Pickle)
	report(r.Format == NPY && r.Pickle != Off, "a pickle policy has no use for values of format npy")
	return errors.Join(all...)
}

// Error says what is wrong with a value, and where.
//
// It wraps [backend.ErrSourceInvalid] unless the value may be served all the same, which is so for findings under the policy [Log]
// only: whoever does not look closer fails closed. It wraps [ErrPolicy] if it is a finding of the policy.
type Error struct {
	Size   int64  // of the whole value, in bytes
	At     int64  // offset of the opcode or field at fault; negative where the value as a whole is
	What   string // what is there, in words; names a pickle asks for are quoted and cut to 64 bytes
	Rule   Rule   // which was broken
	Served bool   // the policy is Log
}

// Rule is what a value broke.
type Rule uint8

// The rules.
const (
	ByLength Rule = iota
	ByFormat
	ByPolicy
	ByChecksum
)

// Served tells whether err is a finding that does not keep its value from being served.
func Served(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Served
}

// Error is one line; it holds no bytes of the value but the names it asks for.
func (e *Error) Error() string {
	where := ""
	if e.At >= 0 {
		where = fmt.Sprintf(" at byte %d", e.At)
	}
	by := ""
	if e.Rule == ByPolicy {
		by = "pickle policy: "
	}
	return fmt.Sprintf("value of %d bytes%s: %s%s", e.Size, where, by, e.What)
}

// Unwrap returns what the error stands for.
func (e *Error) Unwrap() []error {
	var is []error
	if !e.Served {
		is = append(is, backend.ErrSourceInvalid)
	}
	if e.Rule == ByPolicy {
		is = append(is, ErrPolicy)
	}
	return is
}

// Check holds a whole value to the rules. The error is an [*Error] or nil. It reads value once, in time linear in its length; it neither changes
// nor keeps it, and where it finds nothing in a value of a few hundred opcodes it allocates nothing (BenchmarkCheck).
func (r *Rules) Check(value []byte) error {
	return r.check(value, int64(len(value)))
}

// Header holds to the rules what can be known of a value of size bytes from its first bytes, before the rest is there: its length, and
// whether it begins as its format does. An NPY file's type, shape and size are all in its header; 64 KiB always hold it, 4 KiB nearly
// always.
//
// nil is no [Rules.Check]: what follows in a pickle is not known. So, under [Reject], a prefix shorter than the value is always an error: the
// policy needs the whole value.
func (r *Rules) Header(prefix []byte, size int64) error {
	if int64(len(prefix)) > size {
		return invalid(size, "its first %d bytes are more than all of it", len(prefix))
	}
	if r.Pickle == Reject && int64(len(prefix)) < size {
		return &Error{Size: size, At: -1, Rule: ByPolicy, What: fmt.Sprintf("cannot be applied to its first %d bytes only", len(prefix))}
	}
	return r.check(prefix, size)
}

// Length holds to the rules what is known of a value by its size in bytes alone. nil is no [Rules.Check].
func (r *Rules) Length(size int64) error {
	if size < r.MinBytes {
		return invalid(size, "shorter than the %d bytes its route demands", r.MinBytes)
	}
	if r.MaxBytes > 0 && size > r.MaxBytes {
		return invalid(size, "longer than the %d bytes its route allows", r.MaxBytes)
	}
	return nil
}

func (r *Rules) check(b []byte, size int64) error {
	if err := r.Length(size); err != nil {
		return err
	}
	if r.Format == NPY {
		if f := checkNPY(b, size); f != nil {
			return &Error{Size: size, At: f.at, Rule: ByFormat, What: "no whole NPY file: " + f.what}
		}
	}
	var finding *fault
	if r.Pickle != Off {
		if finding = checkPolicy(b, size); finding == nil {
			return nil // what the policy admits is a whole pickle
		}
	}
	if r.Format == Pickle {
		if f := checkPickle(b, size); f != nil {
			return &Error{Size: size, At: f.at, Rule: ByFormat, What: "no whole pickle: " + f.what}
		}
	}
	if finding == nil {
		return nil
	}
	return &Error{Size: size, At: finding.at, What: finding.what, Rule: ByPolicy, Served: r.Pickle == Log}
}

func invalid(size int64, format string, args ...any) error {
	return &Error{Size: size, At: -1, What: fmt.Sprintf(format, args...)}
}

// CRC32C returns the Castagnoli checksum of b, as `forebay load` stores it beside each value.
func CRC32C(b []byte) uint32 {
	return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
}

// Sum compares a value with the checksum that is stored beside it, in the column named: an int64 that is its CRC32C as an unsigned number, as
// `forebay load` stores it, or as a signed one of 32 bits, which is all that an int column holds. The error is an [*Error] or nil.
func Sum(value []byte, column string, stored any) error {
	is := CRC32C(value)
	size := int64(len(value))
	n, ok := stored.(int64)
	switch {
	case !ok:
		return &Error{Size: size, At: -1, Rule: ByChecksum, What: fmt.Sprintf("its row has no checksum in column %s", column)}
	case n != int64(is) && n != int64(int32(is)):
		return &Error{Size: size, At: -1, Rule: ByChecksum, What: fmt.Sprintf("it has crc32c %08x, its row's column %s says %08x", is, column, uint32(n))}
	}
	return nil
}

// fault is what a checker found at an offset.
type fault struct {
	at   int64
	what string
}

func faultf(at int, format string, args ...any) *fault {
	return &fault{int64(at), fmt.Sprintf(format, args...)}
}
