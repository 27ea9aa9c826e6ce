package proxy

import (
	"github.com/tidwall/redcon"

	"forebay/internal/cache"
)

// A GETDEL that finds no key is answered with what the source holds, and nothing is stored. But the value may have come meanwhile:
//
//  1. GETDEL k is forwarded; Redis answers nil.
//  2. Another's SET k v is done.
//  3. The load of 1 looks in Redis, or joins a flight that did, and finds v. Given to the GETDEL, v would be taken and still be there.
//
// So what is found in Redis is not given: GETDEL is sent once more, and takes it. Later commands of its client wait, as behind a GETEX.

// takes tells whether the value must be taken from Redis, where it was found.
func (sl *slot) takes(res *cache.Result) bool {
	return sl.kind == readOne && sl.op == opGetDel && res.Cached
}

// takeFrame is the command to be sent once more, if it is a GETDEL: made anew, since few are.
func (sl *slot) takeFrame() []byte {
	if sl.op != opGetDel || sl.route.IsObject() {
		return nil
	}
	return redcon.AppendBulk(redcon.AppendBulkString(redcon.AppendArray(nil, 2), "GETDEL"), sl.key)
}
