package config

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"forebay/internal/route"
)

// routes reads the list of routes.
func (l *loader) routes(path string, key, n *yaml.Node) {
	at := origin{l.name, key.Line}
	if reason := odd(n); reason != "" {
		l.add(at, path, "", reason)
		return
	}
	if n.Tag == "!!null" {
		return
	}
	if n.Kind != yaml.SequenceNode {
		l.add(at, path, describe(n), "want a list of routes")
		return
	}
	l.cfg.origins[path] = at
	// Made at once: the readers below hold pointers into it.
	l.cfg.Routes = make([]Route, len(n.Content))
	for i, item := range n.Content {
		l.route(&l.cfg.Routes[i], fmt.Sprintf("%s[%d]", path, i), item)
	}
}

// route reads one route into r.
func (l *loader) route(r *Route, path string, n *yaml.Node) {
	if n.Tag == "!!null" {
		l.add(origin{l.name, n.Line}, path, "nothing", "want a route")
		return
	}
	known := map[string]reader{
		"where": func(path string, key, n *yaml.Node) { r.Where = l.where(path, key, n) },
		"encode": func(path string, key, n *yaml.Node) {
			r.Encode = l.encode(path, key, n)
		},
		"object": func(path string, key, n *yaml.Node) {
			r.Object = new(Object)
			l.mapping(path, key, n, map[string]reader{
				"dataset": l.text(&r.Object.Dataset),
				"name":    l.text(&r.Object.Name),
			})
		},
		"validate": func(path string, key, n *yaml.Node) {
			r.Validate = &Validate{Format: FormatAny, Pickle: PickleOff}
			rules := map[string]reader{}
			for _, f := range r.Validate.fields(path) {
				rules[strings.TrimPrefix(f.path, path+".")] = func(_ string, key, n *yaml.Node) { l.leaf(f, key, n) }
			}
			l.mapping(path, key, n, rules)
		},
	}
	for _, f := range r.fields(path) {
		known[strings.TrimPrefix(f.path, path+".")] = func(path string, key, n *yaml.Node) {
			if strings.HasSuffix(path, ".ttl") && n.Kind == yaml.MappingNode {
				parts := map[string]reader{}
				for _, f := range append(r.ttlFields(path), field{path: path + ".after", val: f.val}) {
					parts[strings.TrimPrefix(f.path, path+".")] = func(_ string, key, n *yaml.Node) { l.leaf(f, key, n) }
				}
				l.mapping(path, key, n, parts)
				return
			}
			l.leaf(f, key, n)
		}
	}
	l.mapping(path, n, n, known)
}

// text reads any scalar as text.
func (l *loader) text(p *string) reader {
	return func(path string, key, n *yaml.Node) { l.leaf(field{path: path, val: text{p: p}}, key, n) }
}

// where reads columns and their expressions, in order.
func (l *loader) where(path string, key, n *yaml.Node) []route.Bind {
	var binds []route.Bind
	l.pairs(path, key, n, func(path string, key, n *yaml.Node) {
		bind := route.Bind{Column: key.Value}
		l.text(&bind.Expr)(path, key, n)
		binds = append(binds, bind)
	})
	return binds
}

// encode reads how a row becomes a value. raw, the default, is nil.
func (l *loader) encode(path string, key, n *yaml.Node) *route.Encode {
	const want = "want raw, {npy: {column, dtype, shape}} or {pickle: …}"
	at := origin{l.name, key.Line}
	if n.Kind == yaml.ScalarNode && odd(n) == "" {
		if n.Value != "raw" {
			l.add(at, path, describe(n), want)
		}
		return nil
	}
	if n.Kind == yaml.SequenceNode || (n.Kind == yaml.MappingNode && len(n.Content) != 2) {
		l.add(at, path, describe(n), want)
		return nil
	}
	var e *route.Encode
	l.mapping(path, key, n, map[string]reader{
		"npy": func(path string, key, n *yaml.Node) {
			e = &route.Encode{Format: "npy", Fields: []route.Field{l.array(path, "", key, n)}}
		},
		"pickle": func(path string, key, n *yaml.Node) {
			e = &route.Encode{Format: "pickle", Fields: l.pickle(path, key, n)}
		},
	})
	return e
}

// pickle reads one bare value ({column: c, …}) or the entries of a dict ({image: {column: c, …}, …}). They are told apart by what
// the keys hold: a mapping in each makes a dict, even one with an entry called column.
func (l *loader) pickle(path string, key, n *yaml.Node) []route.Field {
	if n.Kind == yaml.MappingNode && bare(n) {
		return []route.Field{l.array(path, "", key, n)}
	}
	var fields []route.Field
	l.pairs(path, key, n, func(path string, key, n *yaml.Node) {
		if key.Value == "" {
			l.add(origin{l.name, key.Line}, path, "", "want a name for each entry")
			return
		}
		fields = append(fields, l.array(path, key.Value, key, n))
	})
	return fields
}

func bare(n *yaml.Node) bool {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if slices.Contains([]string{"column", "dtype", "shape"}, n.Content[i].Value) && n.Content[i+1].Kind != yaml.MappingNode {
			return true
		}
	}
	return false
}

// array reads one array or scalar of a value.
func (l *loader) array(path, name string, key, n *yaml.Node) route.Field {
	f := route.Field{Name: name}
	if n.Tag == "!!null" {
		l.add(origin{l.name, key.Line}, path, "nothing", "want {column, dtype, shape}")
		return f
	}
	l.mapping(path, key, n, map[string]reader{
		"column": l.text(&f.Column),
		"dtype":  l.text(&f.DType),
		"shape": func(path string, key, n *yaml.Node) {
			var texts []string
			l.leaf(field{path: path, val: list{p: &texts}}, key, n)
			for _, t := range texts {
				var dim int
				l.leaf(field{path: path, val: whole{&dim, -1, maxDim}}, key, &yaml.Node{Kind: yaml.ScalarNode, Value: t, Line: n.Line})
				f.Shape = append(f.Shape, dim)
			}
		},
	})
	return f
}
