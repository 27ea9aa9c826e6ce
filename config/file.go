package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// reader reads the value n of one key; path is the key's own.
type reader func(path string, key, n *yaml.Node)

// file applies the YAML text of a file. An empty file is an empty configuration.
func (l *loader) file(name string, data []byte) {
	l.name = name
	var docs []yaml.Node
	if err := yaml.Load(data, &docs, yaml.WithAllDocuments(), yaml.WithUniqueKeys(false)); err != nil {
		l.syntax(err)
		return
	}
	if len(docs) > 1 {
		l.add(origin{l.name, docs[1].Line}, "", "", "want one YAML document in the file")
	}
	if len(docs) == 0 || len(docs[0].Content) == 0 {
		return
	}
	top := docs[0].Content[0]
	l.section("")("", top, top)
}

// syntax reports text that is not YAML.
func (l *loader) syntax(err error) {
	at, reason := origin{name: l.name}, err.Error()
	if le, ok := errors.AsType[*yaml.LoadError](err); ok {
		at.line, reason = le.Mark.Line, le.Message
		if at.line == 0 {
			at.line = le.ContextMark.Line
		}
	}
	l.add(at, "", "", "want YAML: "+strings.ReplaceAll(reason, "\n", " "))
}

// section returns the reader of the section at path, built from the table: its fields, the sections in it, and for the top
// the routes.
func (l *loader) section(path string) reader {
	prefix := path
	if path != "" {
		prefix += "."
	}
	known := make(map[string]reader)
	for _, f := range l.table {
		if key, ok := strings.CutPrefix(f.path, prefix); ok && !strings.Contains(key, ".") {
			known[key] = func(_ string, key, n *yaml.Node) { l.leaf(f, key, n) }
		}
	}
	for _, s := range sections() {
		if key, ok := strings.CutPrefix(s.path, prefix); ok && !strings.Contains(key, ".") {
			known[key] = l.section(s.path)
		}
	}
	if path == "" {
		known["routes"] = func(path string, key, n *yaml.Node) { l.routes(path, key, n) }
	}
	return func(path string, key, n *yaml.Node) { l.mapping(path, key, n, known) }
}

// mapping reads a mapping whose keys are known. Nothing at all (all of it commented out) is an empty one.
func (l *loader) mapping(path string, key, n *yaml.Node, known map[string]reader) {
	l.pairs(path, key, n, func(path string, key, n *yaml.Node) {
		if read, ok := known[key.Value]; ok {
			read(path, key, n)
			return
		}
		l.add(origin{l.name, key.Line}, path, "", l.unknown(key.Value, slices.Sorted(maps.Keys(known))))
	})
}

// pairs calls read for each pair of a mapping, and reports what is no mapping and keys given twice.
func (l *loader) pairs(path string, key, n *yaml.Node, read reader) {
	at := origin{l.name, key.Line}
	if reason := odd(n); reason != "" {
		l.add(at, path, "", reason)
		return
	}
	if n.Tag == "!!null" {
		return
	}
	if n.Kind != yaml.MappingNode {
		l.add(at, path, describe(n), "want a mapping (key: value)")
		return
	}
	if path != "" {
		l.cfg.origins[path] = at
		path += "."
	}
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at, sub := origin{l.name, k.Line}, path+keyText(k.Value)
		if reason := odd(k); reason != "" {
			l.add(at, sub, "", reason)
			continue
		}
		if k.Kind != yaml.ScalarNode {
			l.add(at, strings.TrimSuffix(path, "."), "", "want a word as a key, not a list or a mapping")
			continue
		}
		if first, ok := lines[k.Value]; ok {
			l.add(at, sub, "", fmt.Sprintf("want it once; it is also on line %d", first))
			continue
		}
		lines[k.Value] = k.Line
		read(sub, k, v)
	}
}

// unknown says that a key is not known here, and what it may have meant.
func (l *loader) unknown(key string, known []string) string {
	if near := nearest(key, known); near != "" {
		return fmt.Sprintf("unknown key; did you mean %q?", near)
	}
	// A key in the wrong section: say where it belongs.
	for _, s := range sections() {
		if strings.HasSuffix(s.path, "."+key) {
			return fmt.Sprintf("unknown key; did you mean %s?", s.path)
		}
	}
	for _, f := range l.table {
		if strings.HasSuffix(f.path, "."+key) {
			return fmt.Sprintf("unknown key; did you mean %s?", f.path)
		}
	}
	return "unknown key; want one of " + strings.Join(known, ", ")
}

// leaf reads one field of the table, or of a route.
func (l *loader) leaf(f field, key, n *yaml.Node) {
	at := origin{l.name, key.Line}
	if reason := odd(n); reason != "" {
		l.add(at, f.path, "", reason)
		return
	}
	items, isList := f.val.(list)
	switch {
	case n.Kind == yaml.SequenceNode && isList:
		texts := make([]string, 0, len(n.Content))
		for _, item := range n.Content {
			if item.Kind != yaml.ScalarNode || item.Tag == "!!null" || odd(item) != "" {
				l.add(origin{l.name, item.Line}, f.path, describe(item), "want text in the list")
				return
			}
			texts = append(texts, item.Value)
		}
		*items.p = texts
		l.cfg.origins[f.path] = at
	case n.Kind != yaml.ScalarNode:
		l.add(at, f.path, describe(n), "want one value"+unquoted(f, n))
	case n.Tag == "!!null":
		l.add(at, f.path, "", `want a value; leave the key out for the default, or write "" for none`)
	default:
		l.set(f, n.Value, at)
	}
}

// odd refuses what YAML offers and a configuration has no use for: each would make a value come from elsewhere than its line.
func odd(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return "want the value itself; anchors and aliases are not supported"
	case n.Tag == "!!merge":
		return "want the keys themselves; merge keys are not supported"
	case n.Style&yaml.TaggedStyle != 0:
		return "want the value without a YAML tag"
	default:
		return ""
	}
}

// describe names a value that is of the wrong kind.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	default:
		return clip(n.Value)
	}
}

// unquoted hints at the usual cause of a mapping in place of text: {idx} without quotes. A secret is not repeated.
func unquoted(f field, n *yaml.Node) string {
	if _, ok := f.val.(secret); ok {
		return ""
	}
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[1].Tag == "!!null" && printable(n.Content[0].Value) == nil {
		return fmt.Sprintf(`; quote the braces: "{%.80s}"`, n.Content[0].Value)
	}
	return ""
}
