package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"forebay/internal/testkit"
)

// What README says that Forebay's own user needs is enough: Redis refuses it nothing.
func TestOwnUserNeedsNoMore(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, words, found := strings.Cut(string(readme), "ACL SETUSER forebay on >… ")
	words, _, ended := strings.Cut(words, "\n")
	if !found || !ended {
		t.Fatal("README does not say what forebay's own user needs")
	}
	server := testkit.Redis(t)
	args := []any{"ACL", "SETUSER", "forebay", "on", ">secret"}
	for word := range strings.FieldsSeq(words) {
		args = append(args, word)
	}
	server.Do(t, args...)
	addr, keyspace := stored.digits(t)
	f := serve(t, setup{cassandra: addr, keyspace: keyspace, routes: digitsRoutes, more: fmt.Sprintf("redis: {address: %q, username: forebay, password: secret}\n", server.Addr)})

	client := redis.NewClient(&redis.Options{Addr: f.resp, ClientName: "run", Protocol: 3})
	defer client.Close()
	ctx := t.Context()
	for _, err := range []error{
		client.Get(ctx, key("test", 1)).Err(),
		client.Get(ctx, key("test", 1)+":npy").Err(),
		client.MGet(ctx, key("test", 2), key("test", 3), key("test", 999999)).Err(),
		client.Append(ctx, key("test", 4), "more").Err(),
		client.Do(ctx, "FOREBAY", "PREFETCH", key("test", 5)).Err(),
		client.Do(ctx, "FOREBAY", "INVALIDATE", key("test", 5)).Err(),
		client.Do(ctx, "FOREBAY", "SESSION", "END", "run").Err(),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if left := server.Do(t, "PTTL", key("test", 4)).(int64); left <= 0 {
		t.Errorf("what was loaded is not stored: its ttl is %d ms", left)
	}
	f.terminate(t)
	if refused := server.Do(t, "ACL", "LOG").([]any); len(refused) > 0 {
		t.Errorf("redis refused forebay's user: %v", refused)
	}
}
