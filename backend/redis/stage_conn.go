package redis

import (
	"bufio"
	"context"
	"net"
	"strconv"
	"strings"
	"time"
)

// replyError is an error that Redis, or the stage itself, gives as its answer.
type replyError string

func (e replyError) Error() string { return string(e) }

// stageConn is a connection on which commands are written as they come. go-redis writes whole ones only.
type stageConn struct {
	net.Conn
	in      *bufio.Reader
	timeout time.Duration // of each step
}

// dialStage connects as Forebay's user, to a database.
func (c *Client) dialStage(ctx context.Context, db int) (*stageConn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	conn, _ := c.dialer.dial(ctx, c.opt.Network, c.opt.Addr) // its errors come with the first use
	s := &stageConn{Conn: conn, in: bufio.NewReaderSize(conn, 512), timeout: c.opt.Timeout}
	var greet [][]string
	switch {
	case c.opt.Username != "":
		greet = append(greet, []string{"AUTH", c.opt.Username, c.opt.Password})
	case c.opt.Password != "":
		greet = append(greet, []string{"AUTH", c.opt.Password})
	}
	greet = append(greet, []string{"SELECT", strconv.Itoa(db)})
	for _, args := range greet {
		b := append(strconv.AppendInt([]byte{'*'}, int64(len(args)), 10), "\r\n"...)
		for _, a := range args {
			b = append(append(strconv.AppendInt(append(b, '$'), int64(len(a)), 10), "\r\n"+a...), "\r\n"...)
		}
		err := s.send(b)
		if err == nil {
			err = s.ok()
		}
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return s, nil
}

// send writes b, or fails when Redis takes nothing for long.
func (s *stageConn) send(b []byte) error {
	if err := s.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	_, err := s.Write(b)
	return err
}

// ok reads the answer to one command. One that is not OK is a replyError.
func (s *stageConn) ok() error {
	if err := s.SetReadDeadline(time.Now().Add(s.timeout)); err != nil {
		return err
	}
	line, err := s.in.ReadString('\n')
	if err != nil {
		return err
	}
	if line = strings.TrimSpace(line); line != "+OK" {
		return replyError(strings.TrimPrefix(line, "-"))
	}
	return nil
}
