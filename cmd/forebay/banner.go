package main

import (
	"fmt"
	"net"
	"strings"
)

// banner says what this process runs on, where it listens and what is limited.
func (n *node) banner() string {
	var b strings.Builder
	line := func(name, text string) { fmt.Fprintf(&b, "  %-8s %s\n", name, text) }
	fmt.Fprintf(&b, "forebay %s is ready\n", version)
	line("resp", "redis://"+dialable(n.resp.Addr().String()))
	line("http", "http://"+dialable(n.http.Addr().String())+"/")
	line("redis", n.redisText())
	line("source", n.source.text)
	for i, r := range n.routes.Routes() {
		name := "routes"
		if i > 0 {
			name = ""
		}
		line(name, r.Pattern()+"  ("+r.Name+")")
	}
	line("events", n.eventsText())
	if n.private != nil {
		for i, l := range n.private.Limits() {
			name := "limits"
			if i > 0 {
				name = ""
			}
			line(name, l)
		}
	}
	return b.String()
}

func (n *node) redisText() string {
	if n.private != nil {
		text := "embedded: " + n.private.Description()
		if v := n.upkeep.version(); v != "" && !n.private.InProcess() {
			text += ", version " + v
		}
		return text
	}
	text := n.redisAddr.addr
	switch v := n.upkeep.version(); {
	case !n.redis.Up():
		text += " (does not answer yet)"
	case v != "":
		text += ", redis " + v
	}
	return text
}

// dialable is a listening address, which may name every interface, as this machine dials it.
func dialable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
