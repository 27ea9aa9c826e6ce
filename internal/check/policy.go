package check

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
)

// checkPolicy walks a pickle and reports the first thing that the policy does not admit. Of a prefix it walks what is there.
func checkPolicy(b []byte, size int64) *fault {
	_, f := walk(b, size)
	return f
}

// walk is checkPolicy, and counts the opcodes it looked at.
func walk(b []byte, size int64) (steps int, f *fault) {
	if size > maxPickle {
		return 0, &fault{-1, tooLong}
	}
	w := walker{scanner: scanner{b: b, size: size}}
	for {
		t, f := w.next()
		if f != nil || w.cut {
			return steps, f
		}
		steps++
		if t.op == opStop {
			return steps, w.stop(t)
		}
		if f := w.step(t); f != nil {
			return steps, f
		}
	}
}

// walker runs a pickle on items.
type walker struct {
	scanner
	stack  pile[item]
	marks  pile[int32] // height of the stack at each open MARK
	memo   pile[item]
	base   int64 // number of the first memo entry
	seed   maphash.Seed
	seeded bool
}

func (w *walker) stop(t token) *fault {
	if w.marks.n > 0 || w.stack.n != 1 {
		return faultf(t.at, "STOP with %d values and %d marks on the stack", w.stack.n, w.marks.n)
	}
	return w.end(t)
}

func (w *walker) step(t token) *fault {
	switch t.op {
	case opMark:
		if w.marks.n == maxStack {
			return faultf(t.at, "more than %d open marks", maxStack)
		}
		w.marks.push(int32(w.stack.n))
		return nil
	case opPut, opBinPut, opLongBinPut:
		i, f := w.memoIndex(t)
		if f != nil {
			return f
		}
		return w.memoize(t, i)
	case opMemoize:
		return w.memoize(t, int64(w.memo.n))
	case opGet, opBinGet, opLongBinGet:
		i, f := w.memoIndex(t)
		if f != nil {
			return f
		}
		return w.fetch(t, i)
	case opGlobal, opStackGlobal:
		return w.takeGlobal(t)
	case opReduce:
		return w.reduce(t)
	case opBuild:
		return w.build(t)
	case opTuple, opEmptyTuple, opTuple1, opTuple2, opTuple3, opList, opEmptyList, opDict, opEmptyDict, opEmptySet, opFrozenSet,
		opAppend, opAppends, opSetItem, opSetItems, opAddItems:
		return w.container(t)
	}
	it, f := w.literal(t)
	if f != nil {
		return f
	}
	it.weight, it.depth = 1, 1
	return w.push(t, it)
}

// literal returns what an opcode pushes that holds its own value, and refuses all that is not known to be harmless.
func (w *walker) literal(t token) (item, *fault) {
	arg := w.b[t.lo:t.hi]
	switch t.op {
	case opNone:
		return item{kind: none}, nil
	case opNewTrue:
		return item{kind: boolean, n: 1}, nil
	case opNewFalse:
		return item{kind: boolean}, nil
	case opBinInt:
		return item{kind: integer, n: int64(int32(binary.LittleEndian.Uint32(arg)))}, nil
	case opBinInt1, opBinInt2:
		return item{kind: integer, n: int64(w.number(t.lo, t.hi))}, nil
	case opLong1:
		return w.long(t), nil
	case opInt, opLong:
		return w.digits(t)
	case opFloat:
		if !isFloat(arg) {
			return item{}, faultf(t.at, "a malformed float")
		}
		return item{}, nil
	case opString:
		if len(arg) < 2 || arg[0] != '\'' && arg[0] != '"' || arg[len(arg)-1] != arg[0] {
			return item{}, faultf(t.at, "a malformed string")
		}
		return item{}, nil
	case opLong4, opBinFloat, opBinString, opShortBinString:
		return item{}, nil
	case opBinBytes, opShortBinBytes, opBinBytes8:
		return item{kind: blob, n: int64(len(arg)), lo: int64(t.lo)}, nil
	case opByteArray8:
		return item{kind: byteArray, n: int64(len(arg))}, nil
	case opUnicode, opBinUnicode, opShortBinUnicode, opBinUnicode8:
		return w.text(t)
	}
	return item{}, refusal(t)
}

// refusal says why an opcode is never admitted.
func refusal(t token) *fault {
	why := "is not admitted"
	switch t.op {
	case opInst, opObj, opNewObj, opNewObjEx:
		why = "makes an instance of a class: only the calls of the policy's list are admitted"
	case opExt1, opExt2, opExt4:
		why = "names an object by its number in a registry that only the reader knows"
	case opPersID, opBinPersID:
		why = "asks the reader's own code for an object"
	case opPop, opPopMark, opDup:
		why = "copies or drops operands, which picklers do for cyclic objects only"
	case opNextBuffer, opReadOnlyBuffer:
		why = "needs a buffer from outside the pickle"
	}
	return faultf(t.at, "opcode 0x%02x %s", t.op, why)
}

// long is the item of a LONG1: two's complement, of up to 8 bytes where the rules ask for numbers.
func (w *walker) long(t token) item {
	n := t.hi - t.lo
	if n == 0 || n > 8 {
		return item{kind: plain}
	}
	shift := 64 - 8*n
	return item{kind: integer, n: int64(w.number(t.lo, t.hi)<<shift) >> shift}
}

func (w *walker) digits(t token) (item, *fault) {
	arg := w.b[t.lo:t.hi]
	if t.op == opInt && (string(arg) == "00" || string(arg) == "01") {
		return item{kind: boolean, n: int64(arg[1] - '0')}, nil
	}
	if t.op == opLong {
		arg = bytes.TrimSuffix(arg, []byte{'L'})
	}
	n, big, ok := decimal(arg)
	switch {
	case !ok:
		return item{}, faultf(t.at, "a malformed integer")
	case big:
		return item{}, nil
	}
	return item{kind: integer, n: n}, nil
}

func (w *walker) text(t token) (item, *fault) {
	it := item{kind: text, lo: int64(t.lo), n: int64(t.hi - t.lo)}
	var ok bool
	readable := true
	if t.op == opUnicode {
		it.chars, readable, ok = rawUnicode(w.b[t.lo:t.hi])
	} else {
		it.chars, ok = latin1(w.b[t.lo:t.hi])
	}
	if !ok {
		return it, faultf(t.at, "a malformed text")
	}
	if !readable {
		it.flags = coded
	}
	return it, nil
}

// literalText returns the bytes of a text that are its characters; nil for every other item.
func (w *walker) literalText(it *item) []byte {
	if it.kind != text || it.is(coded) {
		return nil
	}
	return w.b[it.lo : it.lo+it.n]
}

func (w *walker) push(t token, it item) *fault {
	if w.stack.n >= maxStack {
		return faultf(t.at, "more than %d operands", maxStack)
	}
	w.stack.push(it)
	return nil
}

// floor is the height below which operands are out of reach: Python's readers do not agree on what happens there.
func (w *walker) floor() int {
	if n := w.marks.n; n > 0 {
		return int(w.marks.all()[n-1])
	}
	return 0
}

func (w *walker) top(t token) (*item, *fault) {
	if w.stack.n <= w.floor() {
		return nil, faultf(t.at, "opcode 0x%02x lacks operands", t.op)
	}
	return &w.stack.all()[w.stack.n-1], nil
}

// take removes the n topmost operands. They are valid until the next push.
func (w *walker) take(t token, n int) ([]item, *fault) {
	from := w.stack.n - n
	if from < w.floor() {
		return nil, faultf(t.at, "opcode 0x%02x lacks operands", t.op)
	}
	return w.stack.cut(from), nil
}

// takeMarked removes the last mark and the operands above it.
func (w *walker) takeMarked(t token) ([]item, *fault) {
	if w.marks.n == 0 {
		return nil, faultf(t.at, "opcode 0x%02x lacks a MARK", t.op)
	}
	all := w.stack.cut(w.floor())
	w.marks.cut(w.marks.n - 1)
	return all, nil
}
