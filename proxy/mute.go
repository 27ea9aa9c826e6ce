package proxy

// muting is what CLIENT REPLY has turned off.
type muting uint8

const (
	loud      muting = iota
	muted            // OFF: nothing is replied until ON
	mutesNext        // SKIP: the next command is not replied to
	mutesThis        // it is being taken
)

// clientReply is CLIENT REPLY. Redis goes on replying, and the client is not told (slot.muted): so its reads are loaded and its writes followed
// like anybody's, on the connection that it shares.
func (s *session) clientReply(cmd *command, frame []byte, args [][]byte) {
	on, off, skip := equalFold(args[2], "on"), equalFold(args[2], "off"), equalFold(args[2], "skip")
	switch {
	case !on && !off && !skip:
		s.pass1(cmd, frame)
	case !s.permitted(cmd, "CLIENT", "REPLY", "ON"):
	case on:
		s.mute = loud
		s.reply([]byte("+OK\r\n"))
	case off:
		s.mute = muted
	case s.mute != muted:
		s.mute = mutesNext
	}
}

// quiet tells whether what is asked now is not replied to.
func (s *session) quiet() bool { return s.mute == muted || s.mute == mutesThis }
