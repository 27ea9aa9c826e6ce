package check

import "strconv"

// built tells whether an item is a dtype that has its state, and so will never change.
func (it *item) built() bool { return it.kind == dtype && !it.is(fresh) }

// NumPy's flags of a dtype. The first three say that elements hold references: never admitted, since with them the bytes of an array are taken
// for addresses.
const (
	needsInit     = 8
	needsPython   = 16
	alignedStruct = 128
	carried       = needsInit | needsPython // a type of fields has what its fields have
)

// code is a type's code as NumPy spells it: "u1", "<f4", "|S3", ">M8[ns]".
type code struct {
	letter byte
	size   int64 // bytes of an element
	order  bool  // it begins with a byte order
	unit   bool  // it ends with a unit of time
}

// parseCode understands the codes of types of fixed size whose elements hold no references.
func parseCode(s []byte) (c code, ok bool) {
	if len(s) > 0 && (s[0] == '<' || s[0] == '>' || s[0] == '|' || s[0] == '=') {
		c.order = true
		s = s[1:]
	}
	if len(s) < 2 || len(s) > 32 {
		return c, false
	}
	c.letter = s[0]
	digits := 1
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	if digits == 1 || digits > 10 {
		return c, false
	}
	c.size, _ = strconv.ParseInt(string(s[1:digits]), 10, 64) // ten digits at most
	if digits < len(s) {
		c.unit = true
		return c, (c.letter == 'M' || c.letter == 'm') && c.size == 8 && isUnit(s[digits:])
	}
	switch c.letter {
	case 'b':
		ok = c.size == 1
	case 'i', 'u':
		ok = c.size == 1 || c.size == 2 || c.size == 4 || c.size == 8
	case 'f':
		ok = c.size == 2 || c.size == 4 || c.size == 8 || c.size == 12 || c.size == 16
	case 'c':
		ok = c.size == 8 || c.size == 16 || c.size == 24 || c.size == 32
	case 'M', 'm':
		ok = c.size == 8
	case 'S', 'V':
		ok = true
	case 'U':
		c.size *= 4
		ok = true
	}
	return c, ok
}

// isUnit knows "[s]", "[25us]" and the like; NumPy refuses those it does not know.
func isUnit(s []byte) bool {
	if len(s) < 3 || s[0] != '[' || s[len(s)-1] != ']' {
		return false
	}
	for _, c := range s[1 : len(s)-1] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// dtypeState finds whether a tuple is a state that NumPy writes for a dtype: (version, byte order, subarray, names, fields, size, alignment, flags), and for
// times their unit. NumPy's __setstate__ believes nearly all of it. What is checked here is what memory safety hangs on: that the size is the one
// the type has (build compares them), that each field lies inside and has a type that was checked likewise, that names and fields are the same, and
// that no flag is missing or too many.
//
// Of the item, n is the size, -1 for types that have their own; lo what sort of type it is for; bits the flags.
func (w *walker) dtypeState(it *item, all []item) {
	version, order, sub, names, fields, size, alignment, flags := &all[0], &all[1], &all[2], &all[3], &all[4], &all[5], &all[6], &all[7]
	if version.kind != integer || version.n != 3 && version.n != 4 || (version.n == 4) != (len(all) == 9) || !w.isOrder(order) {
		return
	}
	if size.kind != integer || size.n < -1 || alignment.kind != integer || flags.kind != integer {
		return
	}
	switch alignment.n {
	case 1, 2, 4, 8, 16:
		if size.n < 0 {
			return
		}
	case -1:
		if size.n >= 0 {
			return
		}
	default:
		return
	}
	// NumPy 1 writes the eight flags as a signed number.
	if flags.n < -128 || flags.n > 255 || uint8(flags.n)&^(carried|alignedStruct) != 0 {
		return
	}
	has := int64(uint8(flags.n))
	var ok bool
	sort := simpleState
	wants := int64(-1) // what carried flags the parts ask for; -1 where the type decides
	switch {
	case len(all) == 9:
		sort = timeState
		ok = all[8].roles&roleMeta != 0 && sub.kind == none && names.kind == none && fields.kind == none
	case sub.roles&roleSubarray != 0:
		sort = structState
		wants = int64(sub.bits)
		ok = names.kind == none && fields.kind == none && sub.chars == size.n
	case fields.kind == dict:
		sort = structState
		wants = needsPython | int64(fields.bits)
		ok = sub.kind == none && sameNames(names, fields) && fields.chars <= size.n
	default:
		ok = sub.kind == none && names.kind == none && fields.kind == none
	}
	if !ok || wants >= 0 && has&carried != wants&carried || sort != structState && has&^needsInit != 0 {
		return
	}
	it.roles |= roleDtypeState
	it.n, it.lo, it.bits = size.n, int64(sort), uint8(has)
}

// What sort of type a state is for.
const (
	simpleState = iota
	timeState
	structState
)

func (w *walker) isOrder(it *item) bool {
	s := w.literalText(it)
	return len(s) == 1 && (s[0] == '<' || s[0] == '>' || s[0] == '|' || s[0] == '=')
}

func sameNames(names, fields *item) bool {
	if fields.is(mixed) {
		return false
	}
	if fields.n == 0 { // a type of no fields at all
		return names.kind == tuple && names.weight == 1
	}
	return names.roles&roleNames != 0 && int64(names.bits) == fields.n && names.lo == fields.lo
}

// admits tells whether a state fits a dtype made from a code.
func (state *item) admits(d *item) bool {
	if state.roles&roleDtypeState == 0 {
		return false
	}
	switch d.lo {
	case 'b', 'i', 'u', 'f', 'c':
		return state.lo == simpleState && state.n == -1 && state.bits == 0
	case 'M', 'm':
		return state.lo == timeState && state.n == -1 && state.bits == 0
	case 'S':
		return state.lo == simpleState && state.n == d.n && state.bits == 0
	case 'U':
		return state.lo == simpleState && state.n == d.n && state.bits == needsInit
	case 'V':
		return state.n == d.n && (state.lo == structState || state.lo == simpleState && state.bits == 0)
	}
	return false
}
