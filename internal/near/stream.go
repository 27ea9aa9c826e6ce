package near

// Streaming tells that Redis answers a client's question for a key, asked at t, with a value of size bytes that comes in pieces. Call it before
// the client gets any of it: whatever is held of the key is dropped, as it may be older. True: the value is worth keeping; gather the reply and give it to
// [Cache.Keep].
func (c *Cache) Streaming(db int, key []byte, size int64, t Token) bool {
	if c == nil {
		return false
	}
	p := c.place(db, key)
	c.asking.voidOf(p.id)
	c.remove(p.id)
	if why := c.admit(db, len(key), size, p, t); why != nil {
		why.Add(1)
		return false
	}
	return true
}

// Keep is Offer for a value that [Cache.Streaming] wanted, as a whole RESP bulk, which is the Cache's from here on: it is not copied.
func (c *Cache) Keep(db int, key, reply []byte, t Token) {
	if e := entryOf(db, key, reply, t.epoch); c != nil && e != nil {
		c.ask(&waiting{entry: e, place: c.place(db, key), token: t})
	}
}
