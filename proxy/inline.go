package proxy

// splitInline splits an inline command into words exactly as Redis does (sdssplitargs): double quotes with
// \n \r \t \b \a \xHH and \", single quotes with \'. ok is false for unbalanced quotes, or a quote that is followed by something else than a
// space.
func splitInline(line []byte) (args [][]byte, ok bool) {
	i := 0
	for {
		for i < len(line) && space(line[i]) {
			i++
		}
		if i == len(line) {
			return args, true
		}
		var word []byte
		word, i, ok = inlineWord(line, i)
		if !ok {
			return nil, false
		}
		args = append(args, word)
	}
}

// inlineWord reads the word at i and returns the offset behind it.
func inlineWord(line []byte, i int) (word []byte, next int, ok bool) {
	word = []byte{}
	for i < len(line) && !ends(line[i]) {
		switch line[i] {
		case '"', '\'':
			word, i, ok = inlineQuoted(word, line, i)
			if !ok || (i < len(line) && !space(line[i])) {
				return nil, i, false
			}
			return word, i, true
		default:
			word = append(word, line[i])
			i++
		}
	}
	return word, i, true
}

// inlineQuoted reads from the quote at i to its match.
func inlineQuoted(word, line []byte, i int) ([]byte, int, bool) {
	quote := line[i]
	for i++; i < len(line); i++ {
		c := line[i]
		switch {
		case c == quote:
			return word, i + 1, true
		case c != '\\' || i+1 >= len(line):
			word = append(word, c)
		case quote == '\'':
			if line[i+1] == '\'' {
				c = '\''
				i++
			}
			word = append(word, c)
		case line[i+1] == 'x' && i+3 < len(line) && hex(line[i+2]) >= 0 && hex(line[i+3]) >= 0:
			word = append(word, byte(hex(line[i+2])<<4|hex(line[i+3])))
			i += 3
		default:
			i++
			word = append(word, escaped(line[i]))
		}
	}
	return nil, i, false
}

func escaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	default:
		return c
	}
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}

// ends tells whether c ends a word without quotes: not every space does, in Redis.
func ends(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0
}

func space(c byte) bool {
	return c == ' ' || ('\t' <= c && c <= '\r') || c == 0
}
