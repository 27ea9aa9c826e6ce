package proxy_test

import (
	"fmt"
	"strings"
	"testing"
)

// What Forebay is subscribed to itself is not for its clients to see; all else is Redis's own answer.
func TestOwnSubscriptionsAreHidden(t *testing.T) {
	for _, proto := range []string{"2", "3"} {
		t.Run("resp"+proto, func(t *testing.T) {
			f := start(t, options{patterns: func() int { return 2 }})
			own := f.redis.Client()
			defer own.Close()
			sub := own.PSubscribe(t.Context(), "__keyevent@*__:x", "__keyevent@*__:y")
			defer sub.Close()
			must(t, sub.Subscribe(t.Context(), "__forebay:watch:1"))
			for range 3 {
				_, err := sub.Receive(t.Context())
				must(t, err)
			}
			c, other := dial(t, f.addr), dial(t, f.addr)
			c.send(frames("HELLO " + proto))
			c.reply()
			c.do(":0\r\n*0\r\n*0\r\n", "PUBSUB NUMPAT", "PUBSUB CHANNELS", "pubsub channels __forebay*")
			other.do(confirmation("*", "psubscribe", "p*", 1)+confirmation("*", "subscribe", "news", 2), "PSUBSCRIBE p*", "SUBSCRIBE news")
			c.do(":1\r\n"+message("*", "news")+"*0\r\n"+"*2\r\n"+bulk("news")+":1\r\n+PONG\r\n",
				"pubsub numpat", "PUBSUB CHANNELS", "PUBSUB CHANNELS x*", "PUBSUB NUMSUB news", "PING")
			// What is wrong is said by Redis.
			for _, wrong := range []string{"PUBSUB", "PUBSUB NUMPAT x", "PUBSUB CHANNELS a b", "PUBSUB NOPE"} {
				c.send(frames(wrong))
				if got := c.reply(); got[0] != '-' || strings.Contains(got, "-ERR unknown command") {
					t.Errorf("%s: %q", wrong, got)
				}
			}
			// Inside MULTI they are Redis's, and the transaction is whole.
			c.do("+OK\r\n+QUEUED\r\n*1\r\n:3\r\n", "MULTI", "PUBSUB NUMPAT", "EXEC")
		})
	}
}

// More channels than one read brings are filtered like few.
func TestManyChannelsAreListed(t *testing.T) {
	f := start(t, options{})
	own := f.redis.Client()
	defer own.Close()
	names := make([]string, 5000)
	for i := range names {
		names[i] = fmt.Sprintf("%s%064d", []string{"channel:", "__forebay:"}[i%2], i)
	}
	sub := own.Subscribe(t.Context(), names...)
	defer sub.Close()
	for range names {
		_, err := sub.Receive(t.Context())
		must(t, err)
	}
	c := dial(t, f.addr)
	c.send(frames("PUBSUB CHANNELS"))
	got := c.reply()
	if !strings.HasPrefix(got, "*2500\r\n") || strings.Count(got, "\r\n$72\r\nchannel:") != 2500 || strings.Contains(got, "__forebay") {
		t.Errorf("%d bytes, beginning with %.80q", len(got), got)
	}
	c.do("+PONG\r\n", "PING")
}
