package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"forebay/backend/redis/wire"
)

// front is the RESP port of a running forebay, and who asks it.
type front struct {
	Addr         string `placeholder:"HOST:PORT" help:"Its RESP port; else listen.address of the configuration."`
	DB           int    `name:"db" placeholder:"N" help:"Database of the keys."`
	User         string `help:"Redis user; else redis.username of the configuration." placeholder:"NAME"`
	PasswordFile string `help:"File with its password; else redis.password of the configuration." placeholder:"FILE"`
	TLS          bool   `name:"tls" help:"Connect by TLS. Without --addr the configuration's listen.tls decides."`
	CAFile       string `name:"ca-file" help:"Certificates to trust, PEM, with --tls; else the system's." placeholder:"FILE"`
}

// address is where to connect, and how.
type address struct {
	host     string // host:port
	tls      *tls.Config
	greeting [][]string // commands that come first
}

const (
	dialTimeout  = 5 * time.Second
	replyTimeout = time.Minute
	maxReply     = 1 << 20 // of what is asked here; far above what is answered
)

// address finds out where to connect. The configuration's own user is only sent to the configuration's own address.
func (f front) address(c *console) (a address, err error) {
	user, pass := f.User, ""
	if f.PasswordFile != "" {
		b, err := os.ReadFile(f.PasswordFile)
		if err != nil {
			return a, misused("--password-file: %w", err)
		}
		pass = strings.TrimRight(string(b), "\r\n")
	}
	if a.host = f.Addr; a.host != "" {
		if _, _, err := net.SplitHostPort(a.host); err != nil {
			return a, misused("--addr: %q is not like 127.0.0.1:6380", a.host)
		}
		if f.TLS || f.CAFile != "" {
			if a.tls, err = trust(f.CAFile); err != nil {
				return a, misused("--ca-file: %w", err)
			}
		}
	} else {
		cfg, err := c.config()
		if err != nil {
			return a, err
		}
		a.host = dialable(cfg.Listen.Address)
		if cert := cfg.Listen.TLS.CertFile; cert != "" {
			if a.tls, err = trust(cert); err != nil {
				return a, misused("listen.tls.cert_file: %w", err)
			}
		}
		if f.PasswordFile == "" && (user == "" || user == cfg.Redis.Username) {
			user, pass = cfg.Redis.Username, string(cfg.Redis.Password)
		}
	}
	switch {
	case user != "":
		a.greeting = append(a.greeting, []string{"AUTH", user, pass})
	case pass != "":
		a.greeting = append(a.greeting, []string{"AUTH", pass})
	}
	if f.DB != 0 {
		a.greeting = append(a.greeting, []string{"SELECT", strconv.Itoa(f.DB)})
	}
	return a, nil
}

// trust makes a TLS configuration that trusts what a file of certificates has ("": what the system does). A certificate that is not an authority's
// is the server's own, whatever name it is reached by.
func trust(file string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return cfg, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cfg.RootCAs = x509.NewCertPool()
	found := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		cfg.RootCAs.AddCert(cert)
		if !found && !cert.IsCA && len(cert.DNSNames) > 0 {
			cfg.ServerName = cert.DNSNames[0]
		}
		found = true
	}
	if !found {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return cfg, nil
}

// errReply is an error that the other side answered.
type errReply struct{ text string }

func (e *errReply) Error() string { return e.text }

// word is the error's first word, which says what kind it is.
func (e *errReply) word() string {
	word, _, _ := strings.Cut(e.text, " ")
	return word
}

// respClient asks one thing at a time. It connects when it is first asked, and anew after an error of the connection. It belongs to one goroutine.
type respClient struct {
	to  address
	nc  net.Conn
	buf []byte
}

func (c *respClient) close() {
	if c.nc != nil {
		c.nc.Close()
		c.nc = nil
	}
}

// ask sends one command and returns its reply, which is good until the next. The error is an [*errReply], or of the connection.
func (c *respClient) ask(ctx context.Context, words [][]byte) ([]byte, error) {
	if c.nc == nil {
		if err := c.connect(ctx); err != nil {
			return nil, err
		}
	}
	b, err := c.exchange(ctx, words)
	var refused *errReply
	if err != nil && !errors.As(err, &refused) {
		c.close() // its reply may still come
	}
	return b, err
}

func (c *respClient) connect(ctx context.Context) error {
	d := net.Dialer{Timeout: dialTimeout}
	var err error
	if c.to.tls == nil {
		c.nc, err = d.DialContext(ctx, "tcp", c.to.host)
	} else {
		c.nc, err = (&tls.Dialer{NetDialer: &d, Config: c.to.tls}).DialContext(ctx, "tcp", c.to.host)
	}
	if err != nil {
		c.nc = nil
		return fmt.Errorf("connect to %s: %w; is forebay running there?", c.to.host, err)
	}
	for _, words := range c.to.greeting {
		frame := make([][]byte, len(words))
		for i, w := range words {
			frame[i] = []byte(w)
		}
		if _, err := c.exchange(ctx, frame); err != nil {
			c.close()
			return err
		}
	}
	return nil
}

// exchange sends a command and reads its reply.
func (c *respClient) exchange(ctx context.Context, words [][]byte) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := c.nc.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.to.host, err)
	}
	if err := ctx.Err(); err != nil { // the deadline may have replaced that of the end
		return nil, err
	}
	b := append(strconv.AppendInt(append(c.buf[:0], '*'), int64(len(words)), 10), "\r\n"...)
	for _, w := range words {
		b = append(strconv.AppendInt(append(b, '$'), int64(len(w)), 10), "\r\n"...)
		b = append(append(b, w...), "\r\n"...)
	}
	c.buf = b
	if _, err := c.nc.Write(b); err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.to.host, err)
	}
	reply, err := c.read()
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("read the answer of %s: %w", c.to.host, err)
	case reply[0] == '-':
		return nil, &errReply{string(bytes.TrimSpace(reply[1:]))}
	default:
		return reply, nil
	}
}

// read reads one reply.
func (c *respClient) read() ([]byte, error) {
	var sc wire.Scanner
	b, pos := c.buf[:0], 0
	for {
		if len(b) > maxReply {
			return nil, errors.New("it is too long")
		}
		if cap(b)-len(b) < 4<<10 {
			b = append(make([]byte, 0, 2*cap(b)+8<<10), b...)
		}
		n, err := c.nc.Read(b[len(b):cap(b)])
		if b = b[:len(b)+n]; err != nil {
			return nil, err
		}
		n, done, err := sc.Scan(b[pos:])
		if pos += n; err != nil || done {
			c.buf = b
			return b[:pos], err
		}
	}
}
