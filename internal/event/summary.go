package event

// summary counts hits by route and session until the next flush.
type summary struct {
	sums map[summaryKey]*summed
}

type summaryKey struct{ route, session string }

type summed struct{ count, bytes int64 }

// maxSummaries is how many (route, session) pairs are summed before an early flush.
const maxSummaries = 4096

// add counts one hit.
func (s *summary) add(v *View) {
	sum, ok := s.sums[summaryKey{string(v.Route), string(v.Session)}]
	if !ok {
		if s.sums == nil {
			s.sums = make(map[summaryKey]*summed)
		}
		sum = &summed{}
		s.sums[summaryKey{string(v.Route), string(v.Session)}] = sum
	}
	sum.count++
	sum.bytes += v.Bytes
}

func (s *summary) full() bool { return len(s.sums) >= maxSummaries }

// flush gives out one hit for each pair and forgets them.
func (s *summary) flush(emit func(ev *Event)) {
	for k, sum := range s.sums {
		emit(&Event{Kind: Hit, Route: k.route, Session: k.session, Count: sum.count, Bytes: sum.bytes})
	}
	clear(s.sums)
}
