package linear

import "strconv"

// swap is the script of [Swap].
const swap = "local v=redis.call('GET',KEYS[1]) redis.call('SET',KEYS[1],ARGV[1]) return v"

// Part is a step of a command, on one of its groups.
type Part struct {
	Group int
	Step
}

// Command is what a client sends in one piece and is answered by one reply, or, for a transaction, one reply a frame.
type Command struct {
	Frames [][]string
	Parts  []Part // in their order, an answer each
}

// words is the command that does a step alone.
func (h *History) words(p Part) []string {
	key := h.groups[p.Group].Keys[p.Key]
	switch p.Kind {
	case Set:
		return []string{"SET", key, p.Arg}
	case Refresh, Del:
		return []string{"DEL", key}
	case Invalidate:
		return []string{"FOREBAY", "INVALIDATE", key}
	case Append:
		return []string{"APPEND", key, p.Arg}
	case Swap:
		return []string{"EVAL", swap, "1", key, p.Arg}
	default: // GET, GETDEL, INCR
		return []string{p.Kind.String(), key}
	}
}

// One is a command of one step.
func (h *History) One(p Part) Command {
	return Command{Frames: [][]string{h.words(p)}, Parts: []Part{p}}
}

// Tx is a transaction.
func (h *History) Tx(parts ...Part) Command {
	c := Command{Frames: [][]string{{"MULTI"}}, Parts: parts}
	for _, p := range parts {
		c.Frames = append(c.Frames, h.words(p))
	}
	c.Frames = append(c.Frames, []string{"EXEC"})
	return c
}

// Many is an MGET, if no part has an argument, or an MSET.
func (h *History) Many(parts ...Part) Command {
	words := []string{"MGET"}
	for _, p := range parts {
		words = append(words, h.groups[p.Group].Keys[p.Key])
		if p.Kind == Set {
			words[0] = "MSET"
			words = append(words, p.Arg)
		}
	}
	return Command{Frames: [][]string{words}, Parts: parts}
}

// answers are those of the command's parts by its last reply; ok is false if that is an error, by which nothing was done. A part of a transaction that failed by
// itself has a nil in its place.
func (c *Command) answers(last *Reply) (list []*Answer, ok bool) {
	if last.Err != "" {
		return nil, false
	}
	for i, p := range c.Parts {
		r := last
		switch {
		case c.Frames[0][0] == "MSET":
		case p.Kind == Invalidate:
			r = &last.List[1] // {"removed", n, "kept", n, "unrouted", n}
		case len(c.Frames) > 1 || c.Frames[0][0] == "MGET":
			if i >= len(last.List) {
				return nil, false
			}
			r = &last.List[i]
		}
		if r.Err != "" {
			list = append(list, nil)
			continue
		}
		a := r.Answer()
		list = append(list, &a)
	}
	return list, true
}

// kept tells that an invalidation will be done when Redis answers: until then it is done in the process that says so only.
func (c *Command) kept(last *Reply) bool {
	return c.Parts[0].Kind == Invalidate && len(last.List) > 3 && last.List[3].Text != "0"
}

// number returns a value that nobody else writes, short enough for a few digits more: values are numbers, so that every command fits every value.
func number(n int64) string { return strconv.FormatInt(10+n, 10) }
