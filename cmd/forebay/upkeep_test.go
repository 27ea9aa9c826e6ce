package main

import (
	"reflect"
	"testing"

	"forebay/backend/redis"
	"forebay/proxy"
)

func TestLearntCommand(t *testing.T) {
	sub := func(flags ...string) redis.CommandInfo { return redis.CommandInfo{Name: "c|s", Flags: flags} }
	for name, tt := range map[string]struct {
		of   redis.CommandInfo
		want proxy.Command
	}{
		"as it is": {
			redis.CommandInfo{Name: "get", Arity: 2, Flags: []string{"readonly"}, First: 1, Last: 1, Step: 1},
			proxy.Command{Name: "get", Arity: 2, Flags: []string{"readonly"}, First: 1, Last: 1, Step: 1},
		},
		"a container of which a part writes": {
			redis.CommandInfo{Name: "c", Arity: -2, Sub: []redis.CommandInfo{sub("readonly"), sub("denyoom", "write"), sub("write")}},
			proxy.Command{Name: "c", Arity: -2, Flags: []string{"write"}},
		},
		"a container that only looks": {
			redis.CommandInfo{Name: "c", Arity: -2, Sub: []redis.CommandInfo{sub("readonly"), sub()}},
			proxy.Command{Name: "c", Arity: -2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := learntCommand(&tt.of); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
