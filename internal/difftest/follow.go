package difftest

import (
	"bytes"
	"strconv"
	"strings"

	"forebay/backend/redis/wire"
)

// expected is how many replies the step gets, as CLIENT REPLY has it. A subscription gets one at least.
func (p *player) expected(st *Step) int {
	if st.name() == "client" && len(st.Words) == 3 && strings.EqualFold(st.Words[1], "reply") && !p.inTx &&
		(p.proto3 || !p.subscribed) { // else it is refused
		switch strings.ToLower(st.Words[2]) {
		case "on":
			p.silent, p.skip = false, false
			return 1
		case "off":
			p.silent = true
			return 0
		case "skip":
			p.skip = !p.silent
			return 0
		}
	}
	if p.skip || p.silent {
		p.skip = false
		return 0
	}
	if len(st.Words) == 0 && strings.TrimSpace(st.Raw) == "" {
		return 0
	}
	return 1
}

func isSubscription(st *Step) bool {
	switch st.name() {
	case "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe":
		return true
	}
	return false
}

// message tells whether what came answers no command.
func (p *player) message(b []byte, confirming bool) bool {
	if b[0] != '>' && (b[0] != '*' || !p.subscribed || p.proto3) {
		return false
	}
	kind := strings.ToLower(text(element(b, 0)))
	switch kind {
	case "message", "pmessage", "smessage", "invalidate":
		return true
	}
	return b[0] == '>' && !(confirming && strings.HasSuffix(kind, "subscribe"))
}

// confirmed follows one confirmation of a subscription and returns how many there will be in all.
func (p *player) confirmed(st *Step, b []byte, n int) int {
	if b[0] != '>' && b[0] != '*' {
		return n // an error, or QUEUED, stands for all
	}
	topics := p.group(st)
	if n == 1 && len(st.Words) == 1 {
		n = max(1, len(topics))
	} else {
		n = max(n, len(st.Words)-1)
	}
	p.topic(st, topics, text(element(b, 1)))
	return n
}

// unheard follows a subscription whose confirmations CLIENT REPLY keeps back.
func (p *player) unheard(st *Step) {
	topics := p.group(st)
	if len(st.Words) == 1 && strings.Contains(st.name(), "unsub") {
		clear(topics)
	}
	for _, topic := range st.Words[1:] {
		p.topic(st, topics, topic)
	}
}

// group is what the connection is subscribed to by the step's kind of subscription.
func (p *player) group(st *Step) map[string]bool {
	kind := strings.Replace(st.name(), "unsub", "sub", 1)
	if p.topics[kind] == nil {
		p.topics[kind] = map[string]bool{}
	}
	return p.topics[kind]
}

func (p *player) topic(st *Step, topics map[string]bool, topic string) {
	if strings.Contains(st.name(), "unsub") {
		delete(topics, topic)
	} else {
		topics[topic] = true
	}
	p.subscribed = len(p.topics["subscribe"])+len(p.topics["psubscribe"])+len(p.topics["ssubscribe"]) > 0
}

// follow follows transactions: it returns the commands whose replies an EXEC's is made of.
func (p *player) follow(st *Step, reply []byte) (tx []*Step) {
	switch name := st.name(); {
	case string(reply) == "+QUEUED\r\n":
		p.tx = append(p.tx, st)
	case name == "hello" && reply[0] != '-' && len(st.Words) > 1:
		p.proto3 = st.Words[1] == "3"
	case name == "multi" && reply[0] == '+':
		p.inTx, p.tx = true, nil
	case name == "exec", name == "discard" && len(st.Words) == 1, name == "reset": // EXEC of any kind: a wrong one discards
		tx = p.tx
		p.inTx, p.tx = false, nil
		if string(reply) == "+RESET\r\n" {
			clear(p.topics)
			p.subscribed, p.proto3, p.silent, p.skip = false, false, false, false
		}
	}
	return tx
}

// elements splits an array, set, map or push into its elements; nil for anything else.
func elements(b string) (list []string) {
	if len(b) == 0 || !strings.ContainsRune("*~%>", rune(b[0])) {
		return nil
	}
	raw := []byte(b)
	pos := bytes.IndexByte(raw, '\n') + 1
	for pos < len(raw) {
		var sc wire.Scanner
		n, done, err := sc.Scan(raw[pos:])
		if err != nil || !done {
			return nil
		}
		list = append(list, b[pos:pos+n])
		pos += n
	}
	return list
}

func element(b []byte, i int) string {
	if list := elements(string(b)); i < len(list) {
		return list[i]
	}
	return ""
}

// text is what a simple or bulk string says.
func text(b string) string {
	head, rest, _ := strings.Cut(b, "\r\n")
	if head == "" {
		return ""
	}
	if n, err := strconv.Atoi(head[1:]); head[0] == '$' && err == nil && n >= 0 && n <= len(rest) {
		return rest[:n]
	}
	return head[1:]
}
