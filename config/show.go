package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Field describes one field for a command line's flags and help.
type Field struct {
	Path    string // "redis.address": the flag's name, and the key in Load's flags
	Env     string // "FOREBAY_REDIS_ADDRESS"
	Doc     string // one or two sentences
	Bound   string // what is accepted, in words; "" for any text
	Default string // as YAML
	Secret  bool
}

// Fields lists every field that a flag or a variable can set, in the order of [Example].
func Fields() []Field {
	table := Default().fields()
	fields := make([]Field, len(table))
	for i, f := range table {
		_, isSecret := f.val.(secret)
		fields[i] = Field{
			Path: f.path, Env: f.env(), Doc: f.doc, Bound: f.val.bound(), Default: f.val.show(), Secret: isSecret,
		}
	}
	return fields
}

// Show returns the effective configuration as YAML that loads again: every field, secrets redacted, and behind each that is
// not the default a comment with where it came from. A password that was read from a file is shown as that file only.
func (c *Config) Show() []byte {
	var w outline
	table := c.fields()
	for i, f := range table {
		w.open(f.path, func(section) {})
		shown, from := f.val.show(), ""
		if c.Given(f.path) {
			from = c.at(f.path).String()
		}
		if _, ok := f.val.(secret); ok && table[i+1].val.show() != `""` {
			shown, from = `""`, "read from password_file"
		}
		w.field(f.path, shown, from)
	}
	if len(c.Routes) == 0 {
		w.WriteString("routes: []\n")
		return []byte(w.String())
	}
	w.WriteString("routes:\n")
	for i := range c.Routes {
		c.showRoute(&w, i)
	}
	return []byte(w.String())
}

// showRoute writes one route in flow style where it nests.
func (c *Config) showRoute(w *outline, i int) {
	r, path := &c.Routes[i], fmt.Sprintf("routes[%d]", i)
	put := func(key, text, from string) {
		w.WriteString("    ")
		w.field(key, text, from)
	}
	w.WriteString("  -")
	if o := c.at(path); o.name != "" {
		w.WriteString(comment(o.String()))
	}
	w.WriteString("\n")
	put("name", strconv.Quote(r.Name), "")
	put("key", strconv.Quote(r.Key), "")
	put("db", strconv.Itoa(r.DB), "")
	for _, t := range []struct{ key, text string }{{"table", r.Table}, {"cql", r.CQL}, {"value", r.Value}} {
		if t.text != "" {
			put(t.key, strconv.Quote(t.text), "")
		}
	}
	if len(r.Where) > 0 {
		binds := make([]string, len(r.Where))
		for i, b := range r.Where {
			binds[i] = strconv.Quote(b.Column) + ": " + strconv.Quote(b.Expr)
		}
		put("where", flow(binds), "")
	}
	if r.Encode != nil {
		put("encode", showEncode(r), "")
	}
	if r.Object != nil {
		put("object", flow([]string{"dataset: " + strconv.Quote(r.Object.Dataset), "name: " + strconv.Quote(r.Object.Name)}), "")
	}
	if len(r.Hash) > 0 {
		put("hash", list{p: &r.Hash}.show(), "")
	}
	if r.Validate != nil {
		put("validate", showValidate(r.Validate), "")
	}
	ttl, from := formatDuration(c.ttl(r)), ""
	if r.TTL == 0 {
		from = "defaults.ttl"
	}
	put("ttl", r.showTTL(ttl), from)
	if c.Given(path + ".absent_ttl") {
		put("absent_ttl", span{p: &r.AbsentTTL}.show(), "")
	}
	if r.AfterUse != "" {
		put("after_use", r.AfterUse, "")
	}
	if r.ReadAhead != "" {
		put("read_ahead", r.ReadAhead, "")
	}
	if r.ReadAheadBytes != 0 {
		put("read_ahead_bytes", formatSize(r.ReadAheadBytes), "")
	}
}

func showEncode(r *Route) string {
	var entries []string
	for _, f := range r.Encode.Fields {
		parts := []string{"column: " + strconv.Quote(f.Column)}
		if f.DType != "" {
			parts = append(parts, "dtype: "+strconv.Quote(f.DType))
		}
		if f.Shape != nil {
			parts = append(parts, "shape: "+strings.ReplaceAll(fmt.Sprint(f.Shape), " ", ", "))
		}
		if f.Name == "" {
			return flow([]string{r.Encode.Format + ": " + flow(parts)})
		}
		entries = append(entries, strconv.Quote(f.Name)+": "+flow(parts))
	}
	return flow([]string{r.Encode.Format + ": " + flow(entries)})
}

// showValidate leaves out what demands nothing.
func showValidate(v *Validate) string {
	var pairs []string
	nothing := (&Validate{Format: FormatAny, Pickle: PickleOff}).fields("")
	for i, f := range v.fields("") {
		if shown := f.val.show(); shown != nothing[i].val.show() && shown != "" {
			pairs = append(pairs, f.path[1:]+": "+shown)
		}
	}
	return flow(pairs)
}

func flow(pairs []string) string { return "{" + strings.Join(pairs, ", ") + "}" }

// comment is text behind a value.
func comment(text string) string {
	if printable(text) != nil {
		text = strconv.Quote(text)
	}
	return "  # " + text
}

// outline writes nested YAML from paths.
type outline struct {
	strings.Builder
	at string // the section that is open
}

// open writes the headings that lead to the section of path, after head for each.
func (w *outline) open(path string, head func(section)) {
	parent := path[:max(strings.LastIndexByte(path, '.'), 0)]
	for _, s := range sections() {
		leads := s.path == parent || inside(parent, s.path)
		if leads && s.path != w.at && !inside(w.at, s.path) {
			head(s)
			w.indent(s.path)
			w.WriteString(s.path[strings.LastIndexByte(s.path, '.')+1:] + ":\n")
		}
	}
	w.at = parent
}

// field writes one key with its value and, if from is not empty, where it came from.
func (w *outline) field(path, shown, from string) {
	w.indent(path)
	w.WriteString(path[strings.LastIndexByte(path, '.')+1:] + ": " + shown)
	if from != "" {
		w.WriteString(comment(from))
	}
	w.WriteByte('\n')
}

// indent begins a line at the depth of path.
func (w *outline) indent(path string) {
	w.WriteString(strings.Repeat("  ", strings.Count(path, ".")))
}
