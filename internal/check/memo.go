package check

import "math"

// What is in the memo must be what the walker believes it is, however late it is fetched. Two rules make that so:
//
//   - An object is memoized once, under the next number: picklers do nothing else, and what PUT overwrites would have two names.
//   - An object may be changed (APPEND, SETITEM, BUILD and their kin) only through the operand that made it, and only until it is fetched from the memo
//     for the first time. While it may be changed its memo entry is kept up to date (see changed).
//
// Why the second: 1. EMPTY_DICT, MEMOIZE. 2. The dict is filled with fields that lie inside the dtype, and the dtype is built of it, which checks
// them. 3. GET, SETITEM: a field that lies outside. NumPy keeps the very dict, so the dtype now reaches into foreign memory. With the rule, step 3 is
// refused. It also makes cycles impossible: an object that contains itself was fetched before it was last changed.

// memoize stores the topmost operand under index. A pickler of Python 2 counts from one.
func (w *walker) memoize(t token, index int64) *fault {
	n := int64(w.memo.n)
	if n == 0 && index == 1 && t.op != opMemoize {
		w.base = 1
	}
	if index != n+w.base {
		return faultf(t.at, "memo entry %d is out of turn", index)
	}
	if n == maxMemo {
		return faultf(t.at, "more than %d memoized objects", maxMemo)
	}
	top, f := w.top(t)
	if f != nil {
		return f
	}
	if top.memo != 0 {
		return faultf(t.at, "an object is memoized twice")
	}
	top.memo = int32(n + 1)
	w.memo.push(*top)
	return nil
}

func (w *walker) fetch(t token, index int64) *fault {
	i := index - w.base
	if i < 0 || i >= int64(w.memo.n) {
		return faultf(t.at, "memo entry %d is not set", index)
	}
	entry := &w.memo.all()[i]
	entry.flags |= shared
	return w.push(t, *entry)
}

// changeable tells whether an operand may be changed.
func (w *walker) changeable(t token, it *item) *fault {
	if it.memo != 0 && w.memo.all()[it.memo-1].is(shared) {
		return faultf(t.at, "an object is changed after it was fetched from the memo")
	}
	return nil
}

// changed brings the memo up to date.
func (w *walker) changed(it *item) {
	if it.memo != 0 {
		w.memo.all()[it.memo-1] = *it
	}
}

// memoIndex reads the argument of GET, PUT and their kin.
func (w *walker) memoIndex(t token) (int64, *fault) {
	if t.op != opGet && t.op != opPut {
		return int64(w.number(t.lo, t.hi)), nil
	}
	n, big, ok := decimal(w.b[t.lo:t.hi])
	if !ok || big || n < 0 || n > math.MaxInt32 {
		return 0, faultf(t.at, "the memo's key is no index")
	}
	return n, nil
}
