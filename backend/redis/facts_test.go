package redis_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"forebay/backend"
	"forebay/backend/redis"
	"forebay/internal/testkit"
)

func TestFacts(t *testing.T) {
	s := testkit.Redis(t, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru", "--databases", "4")
	f, err := openUp(t, s).Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f.Version == "" || f.RunID == "" || f.Mode != "standalone" || f.Role != "master" || f.MaxMemory != 64<<20 ||
		f.Policy != "allkeys-lru" || f.Save != "" || f.AppendOnly || f.IOThreads != 1 || f.Databases != 4 {
		t.Errorf("facts %+v", f)
	}
	if w := f.Warnings(); len(w) != 0 || f.Check() != nil {
		t.Errorf("warnings of a good cache: %q, %v", w, f.Check())
	}
}

func TestWarnings(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want []string // a word of each line
	}{
		{"as Redis comes", []string{"--save", "3600 1"}, []string{"no maxmemory", "noeviction", "save 3600 1"}},
		{"append-only", []string{"--maxmemory", "8mb", "--maxmemory-policy", "volatile-ttl", "--appendonly", "yes"}, []string{"appendonly yes"}},
		{"replica", []string{"--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru", "--replicaof", "127.0.0.1 1"}, []string{"is a replica"}},
		{"no config", []string{"--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru", "--rename-command", "CONFIG", ""}, []string{"not checked: CONFIG GET"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := openUp(t, testkit.Redis(t, tt.args...))
			f, err := c.Facts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := f.Warnings()
			if len(got) != len(tt.want) {
				t.Fatalf("warnings %q, want %d", got, len(tt.want))
			}
			for i, w := range tt.want {
				if !strings.Contains(got[i], w) {
					t.Errorf("warning %d is %q, want %q in it", i, got[i], w)
				}
			}
		})
	}
}

func TestAClusterIsNamed(t *testing.T) {
	f, err := openUp(t, testkit.Redis(t, "--cluster-enabled", "yes")).Facts(t.Context())
	if err != nil || !errors.Is(f.Check(), redis.ErrCluster) {
		t.Errorf("facts %+v, %v, check %v", f, err, f.Check())
	}
}

func TestFactsOfMiniredisArePartial(t *testing.T) {
	c := open(t, "tcp", miniredis.RunT(t).Addr())
	f, err := c.Facts(t.Context())
	if err != nil || len(f.Untold) != 2 || len(f.Warnings()) != 1 || f.Check() != nil {
		t.Errorf("facts %+v, %v, warnings %q", f, err, f.Warnings())
	}
	if _, _, err := c.Memory(t.Context()); err == nil || errors.Is(err, backend.ErrStoreDown) {
		t.Errorf("memory: %v", err)
	}
}

func TestMemory(t *testing.T) {
	s := testkit.Redis(t, "--maxmemory", "64mb")
	c := openUp(t, s)
	used, most, err := c.Memory(t.Context())
	if err != nil || used < 100<<10 || used > 64<<20 || most != 64<<20 {
		t.Errorf("memory %d of %d, %v", used, most, err)
	}
	s.Kill()
	if _, _, err := c.Memory(t.Context()); !errors.Is(err, backend.ErrStoreDown) {
		t.Errorf("memory of a dead server: %v", err)
	}
	if _, err := c.Facts(t.Context()); !errors.Is(err, backend.ErrStoreDown) {
		t.Errorf("facts of a dead server: %v", err)
	}
}

func find(list []redis.CommandInfo, name string) redis.CommandInfo {
	i := slices.IndexFunc(list, func(c redis.CommandInfo) bool { return c.Name == name })
	if i < 0 {
		return redis.CommandInfo{}
	}
	return list[i]
}

func TestCommands(t *testing.T) {
	list, err := openUp(t, testkit.Redis(t)).Commands(t.Context())
	if err != nil || len(list) < 200 {
		t.Fatalf("%d commands, %v", len(list), err)
	}
	get := find(list, "get")
	if get.Arity != 2 || !slices.Contains(get.Flags, "readonly") || get.First != 1 || get.Last != 1 || get.Step != 1 || !slices.Contains(get.Categories, "@read") {
		t.Errorf("get %+v", get)
	}
	if len(get.Keys) != 1 || get.Keys[0].Begin != "index" || get.Keys[0].Index != 1 || get.Keys[0].Find != "range" || get.Keys[0].Step != 1 ||
		!slices.Contains(get.Keys[0].Flags, "access") {
		t.Errorf("get's keys %+v", get.Keys)
	}
	if eval := find(list, "eval"); len(eval.Keys) != 1 || eval.Keys[0].Find != "keynum" || eval.Keys[0].FirstKey != 1 || eval.Keys[0].Step != 1 {
		t.Errorf("eval %+v", eval)
	}
	if x := find(list, "xread"); len(x.Keys) != 1 || x.Keys[0].Begin != "keyword" || x.Keys[0].Keyword != "STREAMS" || x.Keys[0].Limit != 2 {
		t.Errorf("xread %+v", x)
	}
	if kill := find(find(list, "client").Sub, "client|kill"); kill.Arity != -3 {
		t.Errorf("client kill %+v", kill)
	}
	mini, err := open(t, "tcp", miniredis.RunT(t).Addr()).Commands(t.Context())
	if err != nil || find(mini, "get").Arity != 2 {
		t.Errorf("of miniredis: %d commands, %v", len(mini), err)
	}
}
