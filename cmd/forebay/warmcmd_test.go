package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"forebay/internal/testkit"
)

func TestPatterns(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"a:{0..3}", "a:0 a:1 a:2 a:3"},
		{"{8..11}x", "8x 9x 10x 11x"},
		{"{-1..1}", "-1 0 1"},
		{"a{1..2}b{3..4}c", "a1b3c a1b4c a2b3c a2b4c"},
		{"{08..11}", "08 09 10 11"},
		{"{007..8}", "007 008"},
		{"{tag}:{5..5}", "{tag}:5"},
		{"{{1..2}}", "{1} {2}"},
		{"{a..b}{1..1}", "{a..b}1"},
		{"{9223372036854775806..9223372036854775807}", "9223372036854775806 9223372036854775807"},
		{"{1}", "error"},
		{"a", "error"},
		{"", "error"},
		{"{3..1}", "error"},
		{"{1..2", "error"},
		{"{+1..2}", "error"},
		{"{..2}", "error"},
		{"{0..9223372036854775807}", "error"},
		{"{-9223372036854775808..9223372036854775807}", "error"},
		{"{1..2000000}{1..2000000}", "error"},
	}
	for _, tt := range tests {
		var p pattern
		got := "error"
		if p.UnmarshalText([]byte(tt.text)) == nil {
			var list []string
			if err := p.each(func(key []byte) error { list = append(list, string(key)); return nil }); err != nil {
				t.Error(err)
			}
			got = strings.Join(list, " ")
		}
		if got != tt.want {
			t.Errorf("%q is %.200s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestFilesOfKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	long := strings.Repeat("k", 40<<10)
	text := "a\r\n\nb c\n" + long + "\n" + long + "\n\r\nlast"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l := &keyList{keys: []string{"first"}, file: path}
	var sizes []int
	var got []string
	err := l.batches(func(batch [][]byte) error {
		sizes = append(sizes, len(batch))
		for _, k := range batch {
			got = append(got, string(k))
		}
		return nil
	})
	if want := []string{"first", "a", "b c", long, long, "last"}; err != nil || !slices.Equal(got, want) || !slices.Equal(sizes, []int{4, 2}) {
		t.Errorf("%v, batches of %v: %.200q", err, sizes, got)
	}
	if n, err := l.count(); n != 6 || err != nil {
		t.Errorf("%d keys, %v", n, err)
	}
	if err := os.WriteFile(path, []byte("a\n"+strings.Repeat("x", maxKey+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.count(); err == nil || !strings.Contains(err.Error(), "line 2 is longer") {
		t.Errorf("a line that is too long: %v", err)
	}
}

// TestWarm warms a Forebay with the digits and a Redis of its own.
func TestWarm(t *testing.T) {
	server := testkit.Redis(t)
	in := serve(t, "--redis.address="+server.Addr)
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("digits:test:7\ndigits:train:8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   []string
		status int
		want   []string
	}{
		{
			"a whole split",
			[]string{"--pattern", "digits:train:{0..1436}"},
			done,
			[]string{"1437 keys: 1437 loaded, 0 present already, 0 absent in the source, 0 without a route, 0 failed; ", "Redis holds 1437 of them\n"},
		},
		{
			"once more",
			[]string{"--pattern", "digits:train:{0..1436}", "--parallel", "1"},
			done,
			[]string{"1437 keys: 0 loaded, 1437 present already, 0 absent", "Redis holds 1437 of them\n"},
		},
		{
			"keys, a file and patterns",
			[]string{"--file", file, "--pattern", "digits:test:{5..6}", "--pattern", "digits:train:{1435..1440}", "digits:test:0", "digits:test:0"},
			done,
			[]string{"12 keys: 5 loaded, 3 present already, 4 absent in the source,", "Redis holds 8 of them\n"},
		},
		{"not counted", []string{"--no-verify", "digits:test:0"}, done, []string{"1 key: 0 loaded, 1 present already,"}},
		{
			"without a route",
			[]string{"digits:test:0", "nothing", "none:1"},
			failed,
			[]string{"3 keys: 0 loaded, 1 present already, 0 absent in the source, 2 without a route, 0 failed; ", "not complete: 2 keys have no route (see"},
		},
		{"in another database", []string{"--db", "3", "digits:test:0"}, failed, []string{"not complete: 1 key has no route"}},
		{"a user who may not", []string{"--user", "reader", "--password-file", file, "digits:test:0"}, failed, []string{"WRONGPASS", "1 of 1 key were not tried"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, out, errs := command(t, append([]string{"warm", "--addr", in.resp}, tt.args...)...)
			for _, want := range tt.want {
				if !strings.Contains(out+errs, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if status != tt.status || t.Failed() {
				t.Errorf("status %d, want %d:\n%s%s", status, tt.status, out, errs)
			}
		})
	}
	if n, _ := server.Do(t, "EXISTS", "digits:train:0", "digits:train:1436", "digits:test:5").(int64); n != 3 {
		t.Errorf("Redis holds %d of 3", n)
	}
}

// What is gone again when it is counted is told, and is no success.
func TestWarmTellsWhatDidNotStay(t *testing.T) {
	server := testkit.Redis(t)
	in := serve(t, "--redis.address="+server.Addr, "--near.max_bytes=0")
	info, _ := server.Do(t, "INFO", "memory").(string)
	_, info, _ = strings.Cut(info, "used_memory:")
	used, _, _ := strings.Cut(info, "\r\n")
	bytes, err := strconv.Atoi(used)
	if err != nil {
		t.Fatal(err)
	}
	server.Do(t, "CONFIG", "SET", "maxmemory", bytes+400<<10, "maxmemory-policy", "allkeys-lru") // room for half of them
	status, out, errs := command(t, "warm", "--addr", in.resp, "--pattern", "digits:train:{0..1436}", "--pattern", "digits:train:{0..1436}:npy")
	// Redis may as well have evicted a value as soon as it was stored: that is told at once.
	if status != failed || !strings.Contains(errs, "left Redis again since, evicted or expired") && !strings.Contains(errs, "OOM redis did not keep") {
		t.Errorf("status %d:\n%s%s", status, out, errs)
	}
}

// reluctant is a Forebay that answers as a test has it: a command's words, and how often it was asked before.
func reluctant(t *testing.T, answer func(words []string, asked int) string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	asked := 0
	wg.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				for r := bufio.NewReader(nc); ; {
					words, err := readWords(r)
					if err != nil {
						return
					}
					mu.Lock()
					text := answer(words, asked)
					asked++
					mu.Unlock()
					if text == "" {
						return
					}
					if _, err := io.WriteString(nc, text); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

func readWords(r *bufio.Reader) (words []string, err error) {
	number := func() int {
		line, e := r.ReadString('\n')
		if e != nil || len(line) < 4 {
			err = io.ErrUnexpectedEOF
			return 0
		}
		n, _ := strconv.Atoi(strings.TrimSpace(line[1:]))
		return n
	}
	for range number() {
		b := make([]byte, number()+2)
		if _, e := io.ReadFull(r, b); e != nil || err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		words = append(words, string(b[:len(b)-2]))
	}
	return words, err
}

func loadedAll(n int) string {
	return fmt.Sprintf("*8\r\n$6\r\ncached\r\n:0\r\n$6\r\nloaded\r\n:%d\r\n$6\r\nabsent\r\n:0\r\n$8\r\nunrouted\r\n:0\r\n", n)
}

// Failures: those of keys are found out key by key, passing ones are waited for, and others end it with what was done.
func TestWarmFailures(t *testing.T) {
	bad := func(words []string, suffix string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.HasSuffix(w, suffix) })
	}
	tests := []struct {
		name   string
		args   []string
		answer func(words []string, asked int) string
		status int
		want   []string
	}{
		{"some keys", nil, func(words []string, _ int) string {
			if bad(words, "13") {
				return "-SOURCEINVALID it is broken\r\n"
			}
			return loadedAll(len(words) - 2)
		}, failed, []string{"forebay: k:13: SOURCEINVALID it is broken\n", "forebay: k:913: ", "1000 keys: 990 loaded, 0 present already, 0 absent in the source, 0 without a route, 10 failed", "not complete: 10 keys could not be loaded"}},
		{
			"too many keys",
			[]string{"--max-failed", "20"},
			func([]string, int) string { return "-SOURCEINVALID all are broken\r\n" },
			failed,
			[]string{"too many keys could not be loaded; 980 of 1000 keys were not tried"},
		},
		{"the source comes back", nil, func(words []string, asked int) string {
			switch asked {
			case 0:
				return "-SOURCEDOWN no host answers\r\n"
			case 1:
				return "" // the connection breaks
			}
			return loadedAll(len(words) - 2)
		}, done, []string{"1000 keys: 1000 loaded"}},
		{"the source stays away", []string{"--patience", "50ms"}, func(words []string, asked int) string {
			if asked > 1 {
				return "-SOURCEDOWN no host answers\r\n"
			}
			return loadedAll(len(words) - 2)
		}, failed, []string{"SOURCEDOWN no host answers; 488 of 1000 keys were not tried"}},
		{
			"Redis is full", nil, func([]string, int) string { return "-OOM redis did not keep the value that was loaded\r\n" },
			failed,
			[]string{"OOM redis did not keep", "1000 of 1000 keys were not tried"},
		},
		{
			"no Forebay", nil, func([]string, int) string { return "-ERR unknown command 'FOREBAY', with args beginning with\r\n" },
			failed,
			[]string{"is no forebay"},
		},
		{"an answer of something else", nil, func([]string, int) string { return loadedAll(1) }, failed, []string{"PREFETCH of 256 keys is answered"}},
		{"half of it has gone", []string{"--verify"}, func(words []string, _ int) string {
			if words[0] == "EXISTS" {
				return fmt.Sprintf(":%d\r\n", (len(words)-1)/2)
			}
			return loadedAll(len(words) - 2)
		}, failed, []string{"1000 keys: 1000 loaded", "Redis holds 500 of them", "not complete: 500 keys have left Redis again"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := reluctant(t, tt.answer)
			args := append([]string{"warm", "--addr", addr, "--parallel", "1", "--pattern", "k:{0..999}", "--no-verify"}, tt.args...)
			if slices.Contains(tt.args, "--verify") {
				args = slices.DeleteFunc(args, func(a string) bool { return a == "--no-verify" })
			}
			status, out, errs := command(t, args...)
			for _, want := range tt.want {
				if !strings.Contains(out+errs, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if status != tt.status || t.Failed() {
				t.Errorf("status %d, want %d:\n%s%s", status, tt.status, out, errs)
			}
		})
	}
}
