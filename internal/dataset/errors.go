package dataset

import "fmt"

// FormatError says where a file is broken, or what of it cannot be read.
type FormatError struct {
	Path   string
	Array  string // of an NPZ; "" for the file itself
	Offset int64  // in the file, or in the array's entry once it is decompressed
	Reason string
	Err    error // what was found, or nil
}

// Error is one line.
func (e *FormatError) Error() string {
	where := e.Path
	if e.Array != "" {
		where += ": " + e.Array
	}
	msg := fmt.Sprintf("read %s: at byte %d: %s", where, e.Offset, e.Reason)
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

// Unwrap gives the cause.
func (e *FormatError) Unwrap() error { return e.Err }
