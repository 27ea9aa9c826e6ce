package cache_test

import "time"

// fakeStamp says which value a fill has stored, and when that ends.
type fakeStamp struct {
	value string
	ends  time.Time
}

// put stores a value for ttl, or for ever if that is 0.
func (s *store) put(k, value string, ttl time.Duration) {
	s.values[k] = value
	delete(s.ends, k)
	if ttl > 0 {
		s.ends[k] = time.Now().Add(ttl)
	}
}

// value is what a key holds now.
func (s *store) value(k string) (string, bool) {
	if ends, ok := s.ends[k]; ok && !time.Now().Before(ends) {
		delete(s.values, k)
		delete(s.ends, k)
	}
	v, ok := s.values[k]
	return v, ok
}

// own tells whether what a key holds is what a fill has stored there, and how long it has left.
func (s *store) own(k string) (own bool, left time.Duration) {
	v, ok := s.value(k)
	if !ok {
		return false, -2 * time.Millisecond
	}
	ends, ok := s.ends[k]
	if !ok {
		return false, -time.Millisecond
	}
	return s.stamps[k] == fakeStamp{v, ends}, time.Until(ends)
}

// getAged is a client's PTTL and GET.
func (s *store) getAged(key string) (value string, left time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, left = s.own(at(0, key))
	value, ok = s.value(at(0, key))
	return value, left, ok
}
