package arch

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Module is the path that the module's own imports begin with.
const Module = "forebay"

// Graph says who may import whom, in the module's own folders; "x/..." is x and all below it. A package that is not here
// may not exist. Tests are free, but for what is held by clients in all files.
type Graph map[string][]string

// Forebay is the graph that this module is held to. Data flows down: the command knows all, the front knows the engine and the
// contracts, a driver knows its contract only.
func Forebay() Graph {
	driver := []string{"backend", "internal/event"}
	return Graph{
		"cmd/...":      {"backend/...", "config", "examples/...", "internal/...", "proxy/..."},
		"examples/...": {"config", "internal/child"},
		"bench/...":    {"backend/...", "config", "internal/...", "proxy/..."},
		"config":       {"internal/route"},

		"proxy/...": {
			"backend", "backend/redis/wire",
			"internal/cache", "internal/check", "internal/event", "internal/metric", "internal/near", "internal/route",
		},
		"internal/cache":        {"backend", "internal/check", "internal/event", "internal/route"},
		"internal/check":        {"backend"},
		"internal/child":        {},
		"internal/route/...":    {"backend", "internal/check"},
		"internal/dataset/...":  {"internal/route/numpy", "internal/route/pickle"},
		"internal/event":        {},
		"internal/guard":        {"backend"},
		"internal/invalidation": {"backend", "internal/near", "internal/route"},
		"internal/metric":       {"internal/event"},
		"internal/near":         {"backend"},
		"internal/session":      {"backend", "internal/event"},
		"internal/web/...":      {"backend", "internal/event", "internal/metric", "internal/route", "internal/session"},

		"backend":             {},
		"backend/backendtest": {"backend"},
		"backend/cassandra":   driver,
		// Not a driver only: it brings the default's routes, and the digits they read.
		"backend/embedded":        append([]string{"examples/digits", "internal/child", "internal/route"}, driver...),
		"backend/kafka":           driver,
		"backend/redis":           append([]string{"backend/redis/wire"}, driver...),
		"backend/redis/storetest": {"backend"},
		"backend/redis/wire":      driver,

		"internal/arch":        {},
		"internal/difftest":    {"backend/redis/wire"},
		"internal/leasemodel":  {},
		"internal/linear":      {},
		"internal/testkit/...": {},
		"internal/compat/...":  {"internal/testkit/..."},
	}
}

// testOnly are packages that no program may contain: only tests, and the packages of the same list, import them.
var testOnly = []string{"backend/backendtest", "backend/redis/storetest", "internal/testkit/...", "internal/arch", "internal/compat/...", "internal/leasemodel", "internal/linear"}

// Clients names, for each library that speaks to something, the folders whose code may import it, tests aside. Whoever else needs what it
// does asks those packages, so that a library can be replaced in one place.
func Clients() map[string][]string {
	return map[string][]string{
		"github.com/tidwall/redcon":                   {"proxy/...", "backend/redis/wire", "bench/load"},
		"github.com/redis/go-redis/v9":                {"backend/redis", "backend/redis/storetest", "internal/testkit/...", "internal/compat"},
		"github.com/apache/cassandra-gocql-driver/v2": {"backend/cassandra", "internal/testkit/...", "bench/epoch"}, // bench/epoch: what Forebay is measured against
		"github.com/segmentio/kafka-go":               {"backend/kafka", "internal/testkit/..."},
		"github.com/prometheus/client_golang":         {"internal/metric", "internal/web", "cmd/..."}, // counts, serves, makes the registry
		"github.com/alicebob/miniredis/v2":            {"backend/embedded"},
		"github.com/maypok86/otter/v2":                {"internal/near"},
		"github.com/failsafe-go/failsafe-go":          {"internal/guard"},
		"github.com/anishathalye/porcupine":           {"internal/linear"},
		"github.com/alecthomas/kong":                  {"cmd/..."},
		"github.com/schollz/progressbar/v3":           {"cmd/..."},
		"go.yaml.in/yaml/v4":                          {"config"},
		"github.com/gocql/gocql":                      {},
		"gopkg.in/yaml.v3":                            {},
		"github.com/stretchr/testify":                 {},
		"golang.org/x/exp":                            {},
	}
}

// checkImports reports what one file imports against the graph or the list of clients.
func checkImports(f *file, graph Graph, clients map[string][]string) []string {
	if f.test {
		return nil
	}
	key, allowed := graph.entry(f.dir)
	if key == "" {
		return []string{fmt.Sprintf("%s: package %s is not in the graph", f.name, f.dir)}
	}
	var bad []string
	for _, imp := range f.imports() {
		own, internal := strings.CutPrefix(imp, Module+"/")
		switch {
		case internal && matchAny(testOnly, own) && !matchAny(testOnly, f.dir):
			bad = append(bad, fmt.Sprintf("%s: imports %s, which is for tests only", f.name, own))
		case internal:
			if to, _ := graph.entry(own); to != key && !matchAny(allowed, own) {
				bad = append(bad, fmt.Sprintf("%s: %s may not import %s", f.name, f.dir, own))
			}
		default:
			bad = append(bad, checkClient(f, imp, clients)...)
		}
	}
	return bad
}

func checkClient(f *file, imp string, clients map[string][]string) []string {
	for library, folders := range clients {
		if match(library+"/...", imp) && !matchAny(folders, f.dir) {
			return []string{fmt.Sprintf("%s: only %v may import %s", f.name, folders, library)}
		}
	}
	return nil
}

// entry returns the graph's entry for a folder: its own, else that of the nearest "x/..." above it.
func (g Graph) entry(dir string) (key string, allowed []string) {
	if allowed, ok := g[dir]; ok {
		return dir, allowed
	}
	for d := dir; d != "."; d = path.Dir(d) {
		if allowed, ok := g[d+"/..."]; ok {
			return d + "/...", allowed
		}
	}
	return "", nil
}

// match tells whether dir is what the pattern says: "x", or "x/..." for x and all below it.
func match(pattern, dir string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return dir == base || below && strings.HasPrefix(dir, base+"/")
}

func matchAny(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return match(p, dir) })
}
