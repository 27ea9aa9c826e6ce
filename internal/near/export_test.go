package near

// Same tells whether nothing happened to the key since the token was taken, and no fence was up then: a read that began after the one and ended before
// the other saw one state of it.
func (c *Cache) Same(db int, key []byte, t Token) bool {
	return c != nil && c.holds(c.place(db, key), t)
}
