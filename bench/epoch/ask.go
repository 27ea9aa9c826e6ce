package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// patience is how long any answer may take.
const patience = time.Minute

// ask sends one command to a port of 127.0.0.1 and reads its reply, which must be no error and have nothing absent.
func ask(ctx context.Context, port int, words ...string) error {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := c.Write(b); err != nil {
		return err
	}
	return reply(bufio.NewReaderSize(c, 64<<10))
}

// reply reads past one reply.
func reply(in *bufio.Reader) error {
	line, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	line = strings.TrimSpace(line)
	if line == "" {
		return errors.New("an empty reply")
	}
	n, _ := strconv.Atoi(line[1:])
	switch line[0] {
	case '+', ':':
		return nil
	case '$':
		if n < 0 {
			return errors.New("a key is absent")
		}
		_, err := in.Discard(n + 2)
		return err
	case '*':
		for range n {
			if err := reply(in); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("the reply is %.200q: %w", line, io.ErrUnexpectedEOF)
}
