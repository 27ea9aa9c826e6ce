package backend_test

import (
	"testing"

	"forebay/backend"
)

func TestFieldsComeBackAsTheyWere(t *testing.T) {
	want := [][2]string{{"age", "42"}, {"", "\r\n$3\r\n"}, {"blob", "\x00\xff"}, {"empty", ""}}
	var hash []byte
	for _, f := range want {
		hash = backend.AppendField(hash, []byte(f[0]), []byte(f[1]))
	}
	var got [][2]string
	backend.EachField(hash, func(name, value []byte) { got = append(got, [2]string{string(name), string(value)}) })
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("field %d: got %q, want %q", i, got[i], want[i])
		}
	}
}

func TestWhatIsNoHashHasNoMoreFields(t *testing.T) {
	for _, b := range []string{"$", "$5\r\nab\r\n", "x", "$-1\r\n"} {
		n := 0
		backend.EachField([]byte(b), func(_, _ []byte) { n++ })
		if n > 1 {
			t.Errorf("%q: %d fields", b, n)
		}
	}
}
