package check

// Walk is the policy's walk of a whole value; it returns how many opcodes it looked at.
func Walk(b []byte) (steps int, ok bool) {
	steps, f := walk(b, int64(len(b)))
	return steps, f == nil
}
