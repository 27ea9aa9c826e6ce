package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"forebay/backend"
)

// remember returns cmds, which fill entries[at[n]], with at most two more commands: marks for what is tracked, and none any more for the
// rest. They follow the fills, of which it is not known yet whether they are refused. A refused fill leaves a mark of a value that is not
// there, which then is never released: [Client.Release] compares. Were the mark stored first, a release between the two could take the
// old value for what is about to be filled, which is no harm either; but a fill that fails would leave it for nothing.
//
// Their errors are nobody's: what has no mark is not released.
func remember(ctx context.Context, cmds []goredis.Cmder, entries []backend.Entry, at []int) []goredis.Cmder {
	set, drop := []any{"hset", sessionFilled}, []any{"hdel", sessionFilled}
	for _, i := range at {
		if e := &entries[i]; e.Track {
			set = append(set, e.Key, string(markOf(e)))
		} else {
			drop = append(drop, e.Key)
		}
	}
	all := cmds[:len(cmds):len(cmds)]
	for _, args := range [][]any{set, drop} {
		if len(args) > 2 {
			all = append(all, goredis.NewIntCmd(ctx, args...))
		}
	}
	return all
}
