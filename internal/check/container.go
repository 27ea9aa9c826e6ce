package check

import "hash/maphash"

// container makes tuples, lists, dicts and sets, and adds to them.
func (w *walker) container(t token) *fault {
	switch t.op {
	case opEmptyTuple:
		return w.makeTuple(t, nil)
	case opTuple1, opTuple2, opTuple3:
		all, f := w.take(t, int(t.op-opTuple1)+1)
		if f != nil {
			return f
		}
		return w.makeTuple(t, all)
	case opEmptyList:
		return w.push(t, item{kind: list, weight: 1, depth: 1})
	case opEmptyDict:
		return w.push(t, item{kind: dict, weight: 1, depth: 1})
	case opEmptySet:
		return w.push(t, item{kind: set, weight: 1, depth: 1})
	case opAppend:
		all, f := w.take(t, 1)
		if f != nil {
			return f
		}
		return w.add(t, all)
	case opSetItem:
		all, f := w.take(t, 2)
		if f != nil {
			return f
		}
		return w.add(t, all)
	}
	all, f := w.takeMarked(t)
	if f != nil {
		return f
	}
	it := item{weight: 1, depth: 1}
	switch t.op {
	case opTuple:
		return w.makeTuple(t, all)
	case opAppends, opSetItems, opAddItems:
		return w.add(t, all)
	case opList:
		it.kind = list
	case opDict:
		it.kind = dict
	case opFrozenSet:
		it.kind = plain
	}
	if f := w.fill(t, &it, all); f != nil {
		return f
	}
	return w.push(t, it)
}

func (w *walker) makeTuple(t token, all []item) *fault {
	it := item{kind: tuple, weight: 1, depth: 1}
	if f := contain(t, &it, all); f != nil {
		return f
	}
	w.assign(&it, all)
	return w.push(t, it)
}

// add adds operands to the container below them. Only exact lists, dicts and sets are added to: of other objects a reader would call
// a method named append, extend, add or __setitem__.
func (w *walker) add(t token, all []item) *fault {
	to, f := w.top(t)
	if f != nil {
		return f
	}
	ok := false
	switch t.op {
	case opAppend, opAppends:
		ok = to.kind == list
	case opSetItem, opSetItems:
		ok = to.kind == dict || to.kind == ordered
	case opAddItems:
		ok = to.kind == set
	}
	if !ok {
		return faultf(t.at, "opcode 0x%02x adds to what is no list, dict or set", t.op)
	}
	if f := w.changeable(t, to); f != nil {
		return f
	}
	if f := w.fill(t, to, all); f != nil {
		return f
	}
	w.changed(to)
	return nil
}

func (w *walker) fill(t token, to *item, all []item) *fault {
	if to.kind == dict || to.kind == ordered {
		if len(all)%2 != 0 {
			return faultf(t.at, "a key without its value")
		}
		if to.kind == dict {
			for i := 0; i < len(all); i += 2 {
				w.addField(to, &all[i], &all[i+1])
			}
		}
	}
	return contain(t, to, all)
}

// contain accounts for what a container holds.
func contain(t token, to *item, all []item) *fault {
	weight, depth := uint64(to.weight), to.depth
	for i := range all {
		weight += uint64(all[i].weight)
		depth = max(depth, all[i].depth+1)
	}
	if weight > maxWeight {
		return faultf(t.at, "more than %d objects, each counted as often as it is referred to", maxWeight)
	}
	if depth > maxDepth {
		return faultf(t.at, "nested deeper than %d", maxDepth)
	}
	to.weight, to.depth = uint32(weight), depth
	return nil
}

// addField notes one entry of a dict that may turn out to describe the fields of a dtype: name to (dtype, offset). Of such a dict n is the
// number of fields, lo the sum of their names' hashes, chars where the last one ends, and bits the flags of all their types.
func (w *walker) addField(to, name, field *item) {
	if field.roles&roleField == 0 || name.kind != text || name.is(coded) || name.n > maxName {
		to.flags |= mixed
		return
	}
	to.n++
	to.lo += w.hash(name)
	to.chars = max(to.chars, field.n)
	to.bits |= field.bits
}

// hash is keyed anew for each value, so that no pickle can be made of names that collide.
func (w *walker) hash(name *item) int64 {
	if !w.seeded {
		w.seed, w.seeded = maphash.MakeSeed(), true
	}
	return int64(maphash.Bytes(w.seed, w.b[name.lo:name.lo+name.n]))
}
