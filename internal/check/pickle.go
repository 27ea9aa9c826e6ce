package check

import "bytes"

// checkPickle checks that the value is one pickle: known opcodes, arguments that are all there, operands enough on the stack for each, and STOP
// at the very end with one value left. What the pickle would do is not looked at.
//
// Of a prefix it checks what is there.
func checkPickle(b []byte, size int64) *fault {
	if size > maxPickle {
		return &fault{-1, tooLong}
	}
	p := form{scanner: scanner{b: b, size: size}}
	for {
		t, f := p.next()
		if f != nil || p.cut {
			return f
		}
		if f = p.argument(t); f == nil {
			f = p.step(t)
		}
		if f != nil || t.op == opStop {
			return f
		}
	}
}

// form follows how many operands there are, not what they are.
type form struct {
	scanner
	depth int32       // operands on the stack; no more than there are bytes, so below 2^31 (see maxPickle)
	marks pile[int32] // depth at each open MARK
}

// maxPickle is the longest pickle that is looked at, in bytes. Redis holds no value over 512 MiB unless told to.
const (
	maxPickle = 1<<31 - 1
	tooLong   = "pickles of 2 GiB and more are not looked at"
)

// step applies what an opcode takes and gives.
func (p *form) step(t token) *fault {
	switch t.op {
	case opStop:
		if p.marks.n > 0 || p.depth != 1 {
			return faultf(t.at, "STOP with %d values and %d marks on the stack", p.depth, p.marks.n)
		}
		return p.end(t)
	case opMark:
		p.marks.push(p.depth)
		return nil
	case opPop:
		if n := p.marks.n; n > 0 && p.marks.all()[n-1] == p.depth {
			p.marks.cut(n - 1)
			return nil
		}
		return p.effect(t, 1, 0)
	case opNextBuffer, opReadOnlyBuffer:
		return faultf(t.at, "it needs a buffer from outside the pickle")
	case opPopMark:
		return p.marked(t, 0, 0, 1)
	case opList, opTuple, opFrozenSet:
		return p.marked(t, 0, 1, 1)
	case opDict:
		return p.marked(t, 0, 1, 2)
	case opInst:
		return p.marked(t, 0, 1, 1)
	case opObj:
		if n := p.marks.n; n > 0 && p.depth == p.marks.all()[n-1] {
			return faultf(t.at, "OBJ without a class")
		}
		return p.marked(t, 0, 1, 1)
	case opAppends, opAddItems:
		return p.marked(t, 1, 1, 1)
	case opSetItems:
		return p.marked(t, 1, 1, 2)
	case opAppend, opReduce, opNewObj, opStackGlobal, opTuple2, opBuild:
		return p.effect(t, 2, 1)
	case opSetItem, opNewObjEx, opTuple3:
		return p.effect(t, 3, 1)
	case opTuple1, opBinPersID, opPut, opBinPut, opLongBinPut, opMemoize:
		return p.effect(t, 1, 1)
	case opDup:
		return p.effect(t, 1, 2)
	}
	return p.effect(t, 0, 1) // the rest pushes one value
}

// effect takes and gives operands; those below a mark are out of reach.
func (p *form) effect(t token, takes, gives int32) *fault {
	floor := int32(0)
	if n := p.marks.n; n > 0 {
		floor = p.marks.all()[n-1]
	}
	if p.depth-takes < floor {
		return faultf(t.at, "opcode 0x%02x lacks operands", t.op)
	}
	p.depth += gives - takes
	return nil
}

// marked takes all operands above the last mark, a multiple of unit, then the mark.
func (p *form) marked(t token, takes, gives, unit int32) *fault {
	n := p.marks.n
	if n == 0 {
		return faultf(t.at, "opcode 0x%02x lacks a MARK", t.op)
	}
	if (p.depth-p.marks.all()[n-1])%unit != 0 {
		return faultf(t.at, "a key without its value")
	}
	p.depth = p.marks.all()[n-1]
	p.marks.cut(n - 1)
	return p.effect(t, takes, gives)
}

// argument checks what the form of an argument promises.
func (p *form) argument(t token) *fault {
	arg := p.b[t.lo:t.hi]
	ok := true
	switch t.op {
	case opInt:
		_, _, ok = decimal(arg)
		ok = ok || string(arg) == "00" || string(arg) == "01"
	case opLong:
		_, _, ok = decimal(bytes.TrimSuffix(arg, []byte{'L'}))
	case opGet, opPut:
		_, big, isNumber := decimal(arg)
		ok = isNumber && !big && arg[0] != '-'
	case opFloat:
		ok = isFloat(arg)
	case opString:
		ok = len(arg) >= 2 && (arg[0] == '\'' || arg[0] == '"') && arg[len(arg)-1] == arg[0]
	case opUnicode:
		_, _, ok = rawUnicode(arg)
	case opBinUnicode, opShortBinUnicode, opBinUnicode8:
		ok = validUTF8(arg)
	}
	if !ok {
		return faultf(t.at, "the argument of opcode 0x%02x is malformed", t.op)
	}
	return nil
}
