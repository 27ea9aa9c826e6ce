package linear

import (
	"slices"

	"github.com/anishathalye/porcupine"
)

// loosen notes for each operation which of its keys others may have deleted while it was under way. It matters for commands that Redis must find a
// value for, on a routed key: what Forebay does is load, then forward.
//
//  1. A sends APPEND k. Forebay finds k in Redis, or loads and stores it.
//  2. B's DEL k is done.
//  3. APPEND is done, and begins from nothing: so it is on a cache of which a key is deleted, though not on a store that always has the row.
//
// A GET or GETDEL of such a transaction is answered with the row all the same, as the source has it once EXEC is done.
//
// README says so. Without a delete by somebody else between call and reply, the row must have been found.
func loosen(ops []porcupine.Operation) {
	for i := range ops {
		op := ops[i].Input.(operation)
		if !op.asks {
			continue
		}
		for j := range ops {
			if ops[j].ClientId == ops[i].ClientId || ops[j].Return < ops[i].Call || ops[j].Call > ops[i].Return {
				continue
			}
			for _, st := range ops[j].Input.(operation).steps {
				if st.Kind == Del || st.Kind == GetDel || st.Kind == Refresh || st.Kind == Invalidate {
					op.loose[st.Key] = true
				}
				op.later[st.Key] = op.later[st.Key] || st.Kind == Row
			}
		}
		ops[i].Input = op
	}
}

// asks tells whether Redis must find a value for a step of this kind.
func (k Kind) asks() bool { return k == Append || k == Incr || k == Swap }

// asks tells whether Redis must find a value for a part of the command: for one that works on it, or any of a transaction that writes.
func (c *Command) asks() bool {
	tx := len(c.Frames) > 1
	return slices.ContainsFunc(c.Parts, func(p Part) bool { return p.Kind.asks() || tx && p.Kind.writes() })
}
