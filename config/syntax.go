package config

import (
	"errors"
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// The syntax of names and addresses. Each function takes a whole value and returns what is wanted, or nil.

const (
	wantListen = "host:port to listen on; an empty host is every interface, port 0 any free one"
	wantDial   = "host:port"
	wantRedis  = "host:port, unix:///path or embedded"
	wantTopic  = "1 to 249 of a-z A-Z 0-9 . _ -"
	wantHost   = "a host name or IP address, without a port"
	wantIdent  = "letters, digits and _, at most 48"
)

// listenAddress accepts host:port for a listener.
func listenAddress(s string) error {
	if _, _, err := splitAddress(s); err != nil {
		return errors.New("want " + wantListen)
	}
	return nil
}

// dialAddress accepts host:port for a connection: both must be there.
func dialAddress(s string) error {
	host, port, err := splitAddress(s)
	if err != nil || host == "" || port == 0 {
		return errors.New("want " + wantDial)
	}
	return nil
}

// redisAddress accepts what Redis.Address may be.
func redisAddress(s string) error {
	if s == Embedded {
		return nil
	}
	if file, ok := strings.CutPrefix(s, "unix://"); ok {
		if !path.IsAbs(file) || printable(file) != nil {
			return errors.New("want unix:// and an absolute path, as unix:///run/redis.sock")
		}
		return nil
	}
	if strings.Contains(s, "://") {
		return errors.New("want " + wantRedis + "; user, password and TLS have fields of their own")
	}
	if dialAddress(s) != nil {
		return errors.New("want " + wantRedis)
	}
	return nil
}

// splitAddress splits host:port; the port is a number from 0 to 65535.
func splitAddress(s string) (host string, port int, err error) {
	host, digitsOfPort, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(digitsOfPort, 10, 16)
	if err != nil || !digits(digitsOfPort) {
		return "", 0, errors.New("want a port from 0 to 65535")
	}
	if host != "" && hostName(host) != nil {
		return "", 0, errors.New("want " + wantHost)
	}
	return host, int(n), nil
}

// hostName accepts an IP address or a DNS name (underscores too: container names have them).
func hostName(s string) error {
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	if s == "" || len(s) > 253 || strings.Trim(s, ".-") == "" || !only(s, ".-_") {
		return errors.New("want " + wantHost)
	}
	return nil
}

// loopback reports whether a listener's address can be reached from this machine only. A name that is not localhost is not
// looked up: it counts as reachable.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// topicName accepts a Kafka topic.
func topicName(s string) error {
	if s == "" || len(s) > 249 || s == "." || s == ".." || !only(s, "._-") {
		return errors.New("want " + wantTopic)
	}
	return nil
}

// identifier accepts a keyspace's name, or none.
func identifier(s string) error {
	if len(s) > 48 || !only(s, "_") {
		return errors.New("want " + wantIdent)
	}
	return nil
}

// printable accepts text that fits on one line.
func printable(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("want no control characters")
	}
	return nil
}

// only reports whether s is ASCII letters, digits and the characters of more.
func only(s, more string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(more, c) < 0 {
			return false
		}
	}
	return true
}
