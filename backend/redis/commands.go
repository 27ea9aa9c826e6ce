package redis

import (
	"context"
	"fmt"
	"strings"
)

// CommandInfo is one command as the server's COMMAND describes it. What an older server leaves out is empty.
type CommandInfo struct {
	Name       string   // lower case; of a subcommand "client|kill"
	Arity      int      // arguments including the name; -n is at least n
	Flags      []string // "write", "readonly", "blocking", "movablekeys" …
	First      int      // position of the first key, 0 for none
	Last       int      // position of the last key; negative counts from the end
	Step       int      // from one key to the next
	Categories []string // "@read" …; Redis 6 and later
	Keys       []KeySpec
	Sub        []CommandInfo // Redis 7 and later
}

// KeySpec says where some of a command's keys are (Redis 7 and later). Of its two halves, the first gives the position
// where the search begins, the second finds the keys from there. See "Command key specifications" in Redis's documentation.
type KeySpec struct {
	Flags []string // "RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "incomplete" …

	Begin     string // "index", "keyword" or "unknown"
	Index     int    // index: the position
	Keyword   string // keyword: the word whose next argument it is
	StartFrom int    // keyword: where to look for it; negative: backwards from the end

	Find     string // "range", "keynum" or "unknown"
	Last     int    // range: the last key, relative to the beginning; negative counts from the end
	Step     int    // range, keynum
	Limit    int    // range: with Last -1, only the first 1/Limit of the rest are keys
	NumberAt int    // keynum: where the number of keys is, relative to the beginning
	FirstKey int    // keynum: where the first key is, relative to the beginning
}

// Commands asks for COMMAND.
func (c *Client) Commands(ctx context.Context) ([]CommandInfo, error) {
	v, err := c.ask(ctx, "command")
	if err != nil {
		return nil, fmt.Errorf("list commands: %w", err)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("list commands: the reply is a %T", v)
	}
	return parseCommands(list)
}

// parseCommands reads the list of COMMAND, and the same of a command's subcommands. Nil entries are passed over.
func parseCommands(list []any) ([]CommandInfo, error) {
	var out []CommandInfo
	for i, e := range list {
		if e == nil {
			continue
		}
		f, ok := e.([]any)
		if !ok || len(f) < 6 {
			return nil, fmt.Errorf("list commands: entry %d has %d fields and not 6 or more", i, len(f))
		}
		name, ok := f[0].(string)
		if !ok {
			return nil, fmt.Errorf("list commands: entry %d has no name", i)
		}
		info := CommandInfo{
			Name: strings.ToLower(name), Arity: integer(f[1]), Flags: texts(f[2]),
			First: integer(f[3]), Last: integer(f[4]), Step: integer(f[5]),
		}
		if len(f) > 6 {
			info.Categories = texts(f[6])
		}
		if len(f) > 8 {
			info.Keys = parseKeySpecs(f[8])
		}
		if len(f) > 9 {
			subs, _ := f[9].([]any)
			var err error
			if info.Sub, err = parseCommands(subs); err != nil {
				return nil, err
			}
		}
		out = append(out, info)
	}
	return out, nil
}

func parseKeySpecs(v any) []KeySpec {
	list, _ := v.([]any)
	var out []KeySpec
	for _, e := range list {
		m := pairs(e)
		begin, find := pairs(m["begin_search"]), pairs(m["find_keys"])
		bs, fs := pairs(begin["spec"]), pairs(find["spec"])
		k := KeySpec{Flags: texts(m["flags"])}
		k.Begin, _ = begin["type"].(string)
		k.Index = integer(bs["index"])
		k.Keyword, _ = bs["keyword"].(string)
		k.StartFrom = integer(bs["startfrom"])
		k.Find, _ = find["type"].(string)
		k.Last, k.Limit = integer(fs["lastkey"]), integer(fs["limit"])
		k.Step = integer(fs["keystep"]) + integer(fs["step"]) // one name or the other
		k.NumberAt, k.FirstKey = integer(fs["keynumidx"]), integer(fs["firstkey"])
		out = append(out, k)
	}
	return out
}

// integer reads a number, 0 for anything else.
func integer(v any) int {
	n, _ := v.(int64)
	return int(n)
}
