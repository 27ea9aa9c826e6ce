package difftest

// Shrink removes steps from a stream as long as differs says that what is left still shows a difference, and returns the smallest that it found.
// It asks at most budget times.
func Shrink(s *Stream, budget int, differs func(*Stream) bool) *Stream {
	best := s
	for size := len(best.Steps) / 2; size > 0 && budget > 0; {
		removed := false
		for at := 0; at < len(best.Steps) && budget > 0; budget-- {
			end := min(len(best.Steps), at+size)
			steps := append(append([]Step(nil), best.Steps[:at]...), best.Steps[end:]...)
			smaller := &Stream{Seed: s.Seed, Rows: s.Rows, Steps: steps}
			if len(steps) > 0 && differs(smaller) {
				best, removed = smaller, true
				continue
			}
			at = end
		}
		if !removed || size > len(best.Steps) {
			size = min(size, len(best.Steps)) / 2
		}
	}
	return best
}
