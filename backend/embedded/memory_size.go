package embedded

import (
	"github.com/alicebob/miniredis/v2"
)

const (
	// keyOverhead is what a key costs beside its name and value: entries in five maps of miniredis (type, value, TTL, last use, version).
	keyOverhead = 300
	// memberOverhead is what a field, element or member costs beside its bytes.
	memberOverhead = 48
	// hllBytes is the size of a HyperLogLog, as Redis stores one.
	hllBytes = 12 << 10
)

// keyBytes estimates what a key takes, in bytes: 0 if it has gone.
func keyBytes(db *miniredis.RedisDB, key string) int64 {
	size := int64(keyOverhead + len(key))
	add := func(members ...string) {
		for _, member := range members {
			size += int64(memberOverhead + len(member))
		}
	}
	// The key may go or change its type between two calls: then a read fails, and the key counts for its overhead once.
	switch db.Type(key) {
	case "":
		return 0
	case "string":
		value, _ := db.Get(key)
		size += int64(len(value))
	case "hash":
		fields, _ := db.HKeys(key)
		add(fields...)
		for _, field := range fields {
			add(db.HGet(key, field))
		}
	case "list":
		elements, _ := db.List(key)
		add(elements...)
	case "set":
		members, _ := db.Members(key)
		add(members...)
	case "zset":
		members, _ := db.ZMembers(key)
		add(members...)
	case "stream":
		entries, _ := db.Stream(key)
		for _, entry := range entries {
			add(entry.ID)
			add(entry.Values...)
		}
	case "hll":
		size += hllBytes
	}
	return size
}
