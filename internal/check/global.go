package check

import "strconv"

// callable is one of the functions and classes that a pickle may name.
type callable int64

const (
	ndarray callable = iota + 1
	newDtype
	reconstruct
	frombuffer
	newScalar
	orderedDict
	encode
)

// lookup knows the ten pairs. Names are compared whole, so a dotted one ("ndarray.tofile") is none of them, and neither is a module that only
// begins like one. No pair is one that Python renames for old protocols (_compat_pickle).
func lookup(module, name []byte) callable {
	switch string(module) {
	case "numpy":
		switch string(name) {
		case "ndarray":
			return ndarray
		case "dtype":
			return newDtype
		}
	case "numpy.core.multiarray", "numpy._core.multiarray":
		switch string(name) {
		case "_reconstruct":
			return reconstruct
		case "scalar":
			return newScalar
		}
	case "numpy.core.numeric", "numpy._core.numeric":
		if string(name) == "_frombuffer" {
			return frombuffer
		}
	case "collections":
		if string(name) == "OrderedDict" {
			return orderedDict
		}
	case "_codecs":
		if string(name) == "encode" {
			return encode
		}
	}
	return 0
}

// takeGlobal admits one of the ten. The names of STACK_GLOBAL are literal texts of the same pickle: no admitted opcode or call makes a text of
// others. They may come from the memo, and in genuine pickles do: NumPy's own name "numpy" once for ndarray and dtype.
func (w *walker) takeGlobal(t token) *fault {
	var module, name []byte
	if t.op == opGlobal {
		module, name = w.b[t.lo:t.lo2-1], w.b[t.lo2:t.hi]
	} else {
		all, f := w.take(t, 2)
		if f != nil {
			return f
		}
		module, name = w.literalText(&all[0]), w.literalText(&all[1])
		if module == nil || name == nil {
			return faultf(t.at, "names a global by other than two literal texts")
		}
	}
	known := lookup(module, name)
	if known == 0 {
		return faultf(t.at, "asks for %s of module %s, which is not on the list", quote(name), quote(module))
	}
	return w.push(t, item{kind: global, n: int64(known), weight: 1, depth: 1})
}

// quote makes a name fit for one line.
func quote(name []byte) string {
	if len(name) > 64 {
		return strconv.QuoteToASCII(string(name[:64])) + "…"
	}
	return strconv.QuoteToASCII(string(name))
}

// reduce admits calls with the arguments that picklers give, and no others.
func (w *walker) reduce(t token) *fault {
	all, f := w.take(t, 2)
	if f != nil {
		return f
	}
	call, args := &all[0], &all[1]
	if call.kind != global {
		return faultf(t.at, "calls what is not on the list")
	}
	it := item{weight: 1, depth: 1}
	var needs roles
	var what string
	switch callable(call.n) {
	case ndarray:
		it.kind, needs, what = array, roleNdarray, "numpy.ndarray"
	case newDtype:
		it.kind, needs, what = dtype, roleDtype, "numpy.dtype"
		it.n, it.lo, it.flags = args.n, args.lo, fresh
	case reconstruct:
		it.kind, needs, what = emptyArray, roleReconstruct, "_reconstruct"
	case frombuffer:
		it.kind, needs, what = array, roleFrombuffer, "_frombuffer"
	case newScalar:
		it.kind, needs, what = plain, roleScalar, "scalar"
	case orderedDict:
		it.kind, needs, what = ordered, roleShape, "OrderedDict"
		if args.weight != 1 {
			needs = 0
		}
	case encode:
		it.kind, needs, what = blob, roleEncode, "_codecs.encode"
		it.n, it.lo = args.chars, -1
	}
	if args.roles&needs == 0 {
		return faultf(t.at, "calls %s with arguments that no pickler gives it, or a type, shape and bytes that do not fit", what)
	}
	return w.push(t, it)
}

// build admits the state of a dtype and of an array, once each. Of any other object BUILD sets attributes, or calls its __setstate__.
func (w *walker) build(t token) *fault {
	all, f := w.take(t, 1)
	if f != nil {
		return f
	}
	state := all[0]
	to, f := w.top(t)
	if f != nil {
		return f
	}
	if f := w.changeable(t, to); f != nil {
		return f
	}
	switch {
	case to.kind == dtype && to.is(fresh):
		if !state.admits(to) {
			return faultf(t.at, "a state that does not fit its dtype, or with elements that hold references")
		}
		to.flags &^= fresh
		to.bits = state.bits
	case to.kind == emptyArray:
		if state.roles&roleArrayState == 0 {
			return faultf(t.at, "a state that does not fit its array")
		}
		to.kind = array
	default:
		return faultf(t.at, "sets the state of what is no new dtype or array")
	}
	w.changed(to)
	return nil
}
