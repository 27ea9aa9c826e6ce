package check

import "math"

// roles are what a tuple can be read as: the arguments of one of the admitted calls, the state of a dtype or an array, or a part of these. They are
// found when the tuple is made, from operands that are still at hand, so that a tuple needs no memory of its own for what is in it. A tuple can
// have several; those that a tuple can have at once use different fields of its item.
type roles uint16

const (
	roleShape       roles = 1 << iota // ints of zero and more: n their product, bits how many
	roleNames                         // texts: lo the sum of their hashes, bits how many
	roleEncode                        // (str, "latin1"): chars the length of the bytes
	roleScalar                        // (dtype, bytes of its size)
	roleSubarray                      // (dtype, shape): chars the size, bits the type's flags
	roleField                         // (dtype, offset): n where it ends, bits the type's flags
	roleReconstruct                   // (numpy.ndarray, (0,), b"b")
	roleDtype                         // (code, False, True): n the size, lo the letter
	roleNdarray                       // (shape, type, buffer that fits)
	roleFrombuffer                    // (buffer, dtype, shape, order), or with axes
	roleUnit                          // (b"ns", 1, 1, 1)
	roleMeta                          // (None or {}, unit)
	roleArrayState                    // (1, shape, dtype, order, bytes that fit)
	roleDtypeState                    // see dtypeState
)

const (
	maxDims = 64  // NumPy's own
	maxName = 255 // bytes of a field's name
	// maxEmpty bounds the elements of arrays whose elements have no bytes.
	maxEmpty = 1 << 20
)

// assign finds the roles of a tuple.
func (w *walker) assign(it *item, all []item) {
	w.assignAny(it, all)
	switch len(all) {
	case 2:
		w.assignPair(it, &all[0], &all[1])
	case 3:
		w.assignTriple(it, &all[0], &all[1], &all[2])
	case 4, 5:
		w.assignArray(it, all)
	case 8, 9:
		w.dtypeState(it, all)
	}
}

// assignAny finds the roles that tuples of any length have.
func (w *walker) assignAny(it *item, all []item) {
	if len(all) > maxDims {
		return
	}
	shape, names := true, len(all) > 0
	product, zero := int64(1), false
	for i := range all {
		n := all[i].n
		shape = shape && all[i].kind == integer && n >= 0
		names = names && all[i].kind == text && !all[i].is(coded) && n <= maxName
		switch {
		case !shape:
		case n == 0:
			zero = true
		case product > math.MaxInt64/n:
			shape = false
		default:
			product *= n
		}
	}
	it.bits = uint8(len(all))
	switch {
	case shape:
		it.roles |= roleShape
		if it.n = product; zero {
			it.n = 0
		}
	case names:
		it.roles |= roleNames
		for i := range all {
			it.lo += w.hash(&all[i])
		}
	}
}

func (w *walker) assignPair(it, a, b *item) {
	switch {
	case a.kind == text && a.chars >= 0 && string(w.literalText(b)) == "latin1":
		it.roles |= roleEncode
		it.chars = a.chars
	case a.built() && b.kind == blob && b.n == a.n:
		it.roles |= roleScalar
	case a.built() && b.roles&roleShape != 0 && fits(b.n, a.n, -1):
		it.roles |= roleSubarray
		it.chars, it.bits = b.n*a.n, a.bits
	case a.built() && b.kind == integer && b.n >= 0 && b.n <= math.MaxInt64-a.n:
		it.roles |= roleField
		it.n, it.bits = b.n+a.n, a.bits
	case (a.kind == none || a.kind == dict && a.weight == 1) && b.roles&roleUnit != 0:
		it.roles |= roleMeta
	}
}

func (w *walker) assignTriple(it, a, b, c *item) {
	switch {
	case a.kind == global && a.n == int64(ndarray):
		if b.roles&roleShape != 0 && b.n == 0 && b.bits == 1 && (c.kind == blob || c.kind == text) && c.n == 1 {
			it.roles |= roleReconstruct
		}
	case a.kind == text && b.kind == boolean && b.n == 0 && c.kind == boolean && c.n == 1:
		if code, ok := parseCode(w.literalText(a)); ok && !code.order && !code.unit {
			it.roles |= roleDtype
			it.n, it.lo = code.size, int64(code.letter)
		}
	case a.roles&roleShape != 0 && (c.kind == blob || c.kind == byteArray):
		size := int64(-1)
		if code, ok := parseCode(w.literalText(b)); ok {
			size = code.size
		} else if b.built() {
			size = b.n
		}
		if size >= 0 && fits(a.n, size, c.n) {
			it.roles |= roleNdarray
		}
	}
}

func (w *walker) assignArray(it *item, all []item) {
	a, b, c, d := &all[0], &all[1], &all[2], &all[3]
	buffer := a.kind == blob || a.kind == byteArray
	switch {
	case len(all) == 4 && a.kind == blob && a.n <= 8 && b.kind == integer && c.kind == integer && d.kind == integer:
		if b.n > 0 && b.n <= math.MaxInt32 && c.n > 0 && c.n <= math.MaxInt32 && d.n == 1 {
			it.roles |= roleUnit
		}
	case buffer && b.built() && c.roles&roleShape != 0 && fits(c.n, b.n, a.n):
		order := string(w.literalText(d))
		if len(all) == 4 && (order == "C" || order == "F") || len(all) == 5 && order == "K" && all[4].roles&roleShape != 0 {
			it.roles |= roleFrombuffer
		}
	case len(all) == 5 && a.kind == integer && a.n == 1 && b.roles&roleShape != 0 && c.built() && d.kind == boolean:
		if raw := &all[4]; raw.kind == blob && fits(b.n, c.n, raw.n) {
			it.roles |= roleArrayState
		}
	}
}

// fits tells whether count elements of size bytes are exactly have bytes; with have below zero, whether they are any number at all.
func fits(count, size, have int64) bool {
	if size == 0 {
		return count <= maxEmpty && have <= 0
	}
	return count <= math.MaxInt64/size && (have < 0 || count*size == have)
}
