package difftest

// Refilled is the stream for a Redis that is to answer as Forebay does with the rows behind it: where a routed key is removed, the row comes to light
// again, so a hidden command puts it back. In a transaction that is done behind it. row returns the commands that put back what the key
// holds, none if it is not routed.
func Refilled(s *Stream, row func(key string) [][]string) *Stream {
	out := &Stream{Seed: s.Seed, Rows: s.Rows}
	open := map[int]bool{}
	owed := map[int][]string{}
	settle := func(client int) {
		for _, key := range owed[client] {
			for _, words := range row(key) {
				out.Steps = append(out.Steps, Step{Client: client, Words: words, Hidden: true})
			}
		}
		owed[client] = nil
	}
	for _, st := range s.Steps {
		out.Steps = append(out.Steps, st)
		c := st.Client
		switch st.name() {
		case "multi":
			open[c] = open[c] || len(st.Words) == 1
		case "exec":
			open[c] = false // a wrong one discards
		case "discard", "reset":
			open[c] = open[c] && len(st.Words) > 1
			owed[c] = nil
			continue
		case "del", "unlink":
			owed[c] = append(owed[c], st.Words[1:]...)
		case "hdel": // with its last field a hash goes too
			if len(st.Words) > 2 {
				owed[c] = append(owed[c], st.Words[1])
			}
		case "getdel":
			if len(st.Words) == 2 {
				owed[c] = append(owed[c], st.Words[1])
			}
		}
		if !open[c] && !st.Sync {
			settle(c)
		}
	}
	return out
}
