package redis

// loading are the commands of which Forebay may give the answer without Redis: GET and MGET from its near copy, all of them while Redis does not answer.
// A user who may GET a key need not have the right to the others: HGETALL reads what GET cannot.
var loading = []struct {
	name string
	// categories in which ACL rules may allow or refuse it, but for @all: as ACL CAT of Redis 7 lists them.
	categories []string
	words      []string // what follows the key, for ACL DRYRUN
}{
	{"get", []string{"read", "string", "fast"}, nil},
	{"mget", []string{"read", "string", "fast"}, nil},
	{"getrange", []string{"read", "string", "slow"}, []string{"0", "0"}},
	{"strlen", []string{"read", "string", "fast"}, nil},
	{"getex", []string{"write", "string", "fast"}, nil},
	{"getdel", []string{"write", "string", "fast"}, nil},
	{"hget", []string{"read", "hash", "fast"}, []string{"f"}},
	{"hmget", []string{"read", "hash", "fast"}, []string{"f"}},
	{"hgetall", []string{"read", "hash", "slow"}, nil},
	{"hexists", []string{"read", "hash", "fast"}, []string{"f"}},
	{"hlen", []string{"read", "hash", "fast"}, nil},
	{"hkeys", []string{"read", "hash", "slow"}, nil},
	{"hvals", []string{"read", "hash", "slow"}, nil},
	{"hstrlen", []string{"read", "hash", "fast"}, []string{"f"}},
}
