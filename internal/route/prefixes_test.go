package route_test

import (
	"slices"
	"testing"
)

func TestPrefixes(t *testing.T) {
	table := compile(t, spec("a", "mnist:{x}"), spec("b", "{y}:b"), spec("c", "mnist:{x}:{y:int}"), spec("d", "{{tag}}:{z}"), spec("e", "whole"))
	if got, want := table.Prefixes(), []string{"mnist:", "", "mnist:", "{tag}:", "whole"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
