package config

// notServed marks, in descriptions, what is read and validated but not served by this version.
const notServed = " Not served by this version."

// Unsupported lists, a line each, everything that the configuration asks for and this version does not do yet, and that can be done without.
func (c *Config) Unsupported() (lines []string) {
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
