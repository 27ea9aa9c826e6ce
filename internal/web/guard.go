package web

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// userKey is the context key of the authenticated user's name.
type userKey struct{}

// User returns the Redis user a request was authenticated as, and false where authentication is off.
func User(ctx context.Context) (name string, ok bool) {
	name, ok = ctx.Value(userKey{}).(string)
	return name, ok
}

// guard checks the Host header and the credentials.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.hostAllowed(r) {
			problem{
				http.StatusMisdirectedRequest, "host", "This port does not answer to that host name.",
				"Use its address or localhost, or add the name to http.hosts.",
			}.write(w)
			return
		}
		if s.login == nil {
			next.ServeHTTP(w, r)
			return
		}
		user, p := s.login.check(r)
		if p != nil {
			if p.Status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", `Basic realm="forebay", charset="UTF-8"`)
			}
			p.write(w)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	})
}

// data lets requests for keys and values through only if they were authenticated or came over loopback.
func (s *Server) data(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if addr, ok := localAddr(r); s.login == nil && !(ok && addr.IsLoopback()) {
			problem{
				http.StatusForbidden, "no-auth", "Data and events are shown without a password on loopback only.",
				"Set http.auth to redis.",
			}.write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hostAllowed tells whether the Host header names this port. An address cannot be rebound as a name can: loopback and the
// address the connection came in on are right whatever else is configured. Ports are not compared, since forwarding changes them.
func (s *Server) hostAllowed(r *http.Request) bool {
	host := hostName(r.Host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if slices.ContainsFunc(s.opt.Hosts, func(name string) bool { return hostName(name) == host }) {
		return host != ""
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	local, ok := localAddr(r)
	return addr.IsLoopback() || ok && addr.Unmap() == local
}

// hostName returns the host of "host:port" or "host" in lower case, without brackets and a final dot.
func hostName(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// localAddr returns the address of this end of the request's connection.
func localAddr(r *http.Request) (netip.Addr, bool) {
	tcp, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	addr, ok := netip.AddrFromSlice(tcp.IP)
	return addr.Unmap(), ok
}
