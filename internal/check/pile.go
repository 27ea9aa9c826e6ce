package check

// pile is a stack whose first elements need no allocation where it is a local variable: a slice of an array beside it would be
// allocated, since the compiler takes what is stored through a pointer to outlive the call (BenchmarkCheck).
type pile[T any] struct {
	small [24]T // enough for a dict of two arrays
	big   []T   // in use instead once they do not fit; its length is its capacity
	n     int
}

// all returns the elements. They are valid until the next push.
func (p *pile[T]) all() []T {
	if p.big != nil {
		return p.big[:p.n]
	}
	return p.small[:p.n]
}

func (p *pile[T]) push(v T) {
	switch {
	case p.big == nil && p.n < len(p.small):
		p.small[p.n] = v
	default:
		if p.n >= len(p.big) {
			big := make([]T, 2*p.n)
			copy(big, p.all())
			p.big = big
		}
		p.big[p.n] = v
	}
	p.n++
}

// cut keeps the first n elements and returns the others, which are valid until the next push.
func (p *pile[T]) cut(n int) []T {
	gone := p.all()[n:]
	p.n = n
	return gone
}
