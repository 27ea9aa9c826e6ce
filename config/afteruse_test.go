package config_test

import (
	"slices"
	"strings"
	"testing"

	"forebay/config"
)

func TestAfterUse(t *testing.T) {
	const file = `
source: {cassandra: {hosts: ["127.0.0.1:9042"], keyspace: ml}}
routes:
  - {name: once, key: "once:{id:int}", table: t, where: {id: "{id}"}, value: v, after_use: expire}
  - {name: kept, key: "kept:{id:int}", table: t, where: {id: "{id}"}, value: v, after_use: keep}
  - {name: plain, key: "plain:{id:int}", table: t, where: {id: "{id}"}, value: v}
`
	c, err := config.Parse("f.yaml", []byte(file), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.AfterUse(); !slices.Equal(got, []string{"once"}) {
		t.Errorf("after use: %q", got)
	}
	_, err = config.Parse("f.yaml", []byte(strings.Replace(file, "after_use: keep", "after_use: burn", 1)), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "routes[1].after_use") || !strings.Contains(err.Error(), "want keep or expire") {
		t.Errorf("error %v", err)
	}
}
