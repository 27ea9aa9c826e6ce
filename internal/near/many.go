package near

// Many is the room for one GetMany at a time; the zero Many is ready. Replies are as those of [Cache.Get].
type Many struct {
	Replies [][]byte
	places  []place
	words   []uint64
}

// GetMany returns the values of all keys in m, as they were at one moment, if all of them are held and their replies come to at most so many bytes. It
// allocates nothing once m has grown.
//
// Why they are of one moment:
//
//  1. a is read here. A client writes a and b: both are fenced, written, and their fences end; another's GET of b is asked, answered and inserted.
//  2. b is read here: the new one, beside the old a.
//
// So each key's word is taken before the key is read, and compared once all have been: in 1 the fence has changed that of a. The same holds for a change
// that Redis told of, and for the epoch.
func (c *Cache) GetMany(db int, keys [][]byte, most int, m *Many) bool {
	if c == nil {
		return false
	}
	m.Replies, m.places, m.words = m.Replies[:0], m.places[:0], m.words[:0]
	epoch := c.epoch.Load()
	now := c.opt.Now()
	shelf := c.shelf.Load()
	held := !fenced(epoch) && now < c.until.Load()
	// The places first: the processor then looks up several at once.
	for _, key := range keys {
		p := c.place(db, key)
		m.places = append(m.places, p)
		m.words = append(m.words, c.word(p).Load())
	}
	for i := 0; i < len(keys) && held; i++ {
		e, ok := shelf.GetIfPresent(m.places[i].id)
		if held = ok && e.is(db, keys[i]) && e.epoch == epoch && now < e.expires; held {
			m.Replies = append(m.Replies, e.reply)
			most -= len(e.reply)
			held = most >= 0
		}
	}
	for i := 0; i < len(keys) && held; i++ {
		held = c.word(m.places[i]).Load() == m.words[i]
	}
	held = held && c.epoch.Load() == epoch
	if len(keys) > 0 {
		reads := c.counts.of(m.places[0])
		if held {
			reads.hits.Add(uint64(len(keys)))
		} else {
			reads.misses.Add(1)
		}
	}
	return held
}

// Forget lets go of the values.
func (m *Many) Forget() { clear(m.Replies) }
