package embedded

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	resp "github.com/alicebob/miniredis/v2/server"
)

// answer replies to what miniredis has no answer for and clients ask when they connect, in the words of Redis; it reports whether it did.
// It runs before miniredis looks at a command, on the connection's goroutine, for commands in scripts too.
func (m *memory) answer(c *resp.Peer, cmd string, args ...string) bool {
	switch {
	case cmd == "SELECT" && len(args) == 1:
		// miniredis would make any number of databases, which the keeper does not see.
		if n, err := strconv.Atoi(args[0]); err == nil && (n < 0 || n >= databases) {
			c.WriteError("ERR DB index is out of range")
			return true
		}
	case cmd == "INFO":
		c.WriteBulk(m.info(args))
		return true
	case cmd == "CONFIG" && len(args) >= 2 && strings.EqualFold(args[0], "GET"):
		m.configGet(c, args[1:])
		return true
	}
	return false
}

// info is the reply to INFO: all sections, or those named.
func (m *memory) info(sections []string) string {
	var text strings.Builder
	section := func(name string, lines ...string) {
		wanted := len(sections) == 0
		for _, s := range sections {
			s = strings.ToLower(s)
			wanted = wanted || s == strings.ToLower(name) || s == "default" || s == "all" || s == "everything"
		}
		if !wanted {
			return
		}
		if text.Len() > 0 {
			text.WriteString("\r\n")
		}
		fmt.Fprintf(&text, "# %s\r\n%s\r\n", name, strings.Join(lines, "\r\n"))
	}
	section("Server", "redis_version:7.0.0", "redis_mode:standalone", "forebay_embedded:miniredis")
	section("Clients", "connected_clients:"+strconv.Itoa(m.srv.ClientsLen()))
	section("Memory",
		"used_memory:"+strconv.FormatInt(m.used.Load(), 10),
		"maxmemory:"+strconv.FormatInt(m.budget, 10),
		"maxmemory_policy:allkeys-random")
	section("Persistence", "loading:0", "aof_enabled:0")
	section("Stats",
		"total_connections_received:"+strconv.Itoa(m.srv.TotalConnections()),
		"total_commands_processed:"+strconv.Itoa(m.srv.TotalCommands()))
	section("Replication", "role:master", "connected_slaves:0")
	section("Cluster", "cluster_enabled:0")
	return text.String()
}

// configGet replies with the settings whose names match one of the patterns.
func (m *memory) configGet(c *resp.Peer, patterns []string) {
	settings := []string{
		"appendonly", "no",
		"databases", strconv.Itoa(databases),
		"maxmemory", strconv.FormatInt(m.budget, 10),
		"maxmemory-policy", "allkeys-random",
		"notify-keyspace-events", "",
		"save", "",
	}
	var found []string
	for i := 0; i < len(settings); i += 2 {
		for _, pattern := range patterns {
			if ok, err := path.Match(strings.ToLower(pattern), settings[i]); ok && err == nil {
				found = append(found, settings[i], settings[i+1])
				break
			}
		}
	}
	c.Block(func(w *resp.Writer) {
		w.WriteMapLen(len(found) / 2)
		for _, s := range found {
			w.WriteBulk(s)
		}
	})
}
