package config

import "fmt"

// notServed marks, in descriptions, what is read and validated but not served by this version.
const notServed = " Not served by this version."

// Refused lists, a line each, what the configuration asks for that this version cannot serve and must not start with: keys of
// such a route would be answered as if they did not exist.
func (c *Config) Refused() []string {
	var lines []string
	for i := range c.Routes {
		r, path := &c.Routes[i], fmt.Sprintf("routes[%d]", i)
		switch {
		case r.Object != nil:
			lines = append(lines, c.line(path+".object", r.Name, "object routes are not served by this version"))
		case len(r.Hash) > 0:
			lines = append(lines, c.line(path+".hash", r.Name, "hash routes are not served by this version"))
		}
	}
	return lines
}

// Unsupported lists, a line each, everything that the configuration asks for and this version does not do yet: what is
// [Config.Refused], then what can be done without.
func (c *Config) Unsupported() []string {
	lines := c.Refused()
	for i := range c.Routes {
		if r := &c.Routes[i]; r.Sliding {
			lines = append(lines, c.line(fmt.Sprintf("routes[%d].ttl.sliding", i), r.Name,
				"reads do not extend a TTL in this version; values expire after "+formatDuration(c.ttl(r))))
		}
	}
	if c.Near.MaxBytes > 0 {
		lines = append(lines, c.line("near.max_bytes", "", "there is no near copy in this version; every read goes to Redis"))
	}
	if c.Given("defaults.absent_ttl") {
		lines = append(lines, c.line("defaults.absent_ttl", "", "absent rows are not remembered in this version; every read of one asks the source"))
	}
	return lines
}

// line is a problem's text without being one.
func (c *Config) line(path, name, reason string) string {
	if name != "" {
		name = "route " + name
	}
	at := c.at(path)
	return Problem{Origin: at.name, Line: at.line, Path: path, Value: name, Reason: reason}.String()
}
