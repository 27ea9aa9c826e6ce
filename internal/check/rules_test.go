package check_test

import (
	"errors"
	"strings"
	"testing"

	"forebay/backend"
	"forebay/internal/check"
)

func TestRules(t *testing.T) {
	const one, evil = "\x80\x04K\x01.", "cos\nsystem\nN\x85R."
	for name, tt := range map[string]struct {
		rules check.Rules
		value string
		want  string // "" for none
	}{
		"nothing is demanded":               {check.Rules{}, "anything", ""},
		"an empty value":                    {check.Rules{}, "", ""},
		"just long enough":                  {check.Rules{MinBytes: 3, MaxBytes: 3}, "abc", ""},
		"too short":                         {check.Rules{MinBytes: 4}, "abc", "value of 3 bytes: shorter than the 4 bytes its route demands"},
		"too long":                          {check.Rules{MaxBytes: 2}, "abc", "value of 3 bytes: longer than the 2 bytes its route allows"},
		"a pickle":                          {check.Rules{Format: check.Pickle}, one, ""},
		"a pickle that a policy is not for": {check.Rules{Format: check.Pickle}, evil, ""},
		"no pickle":                         {check.Rules{Format: check.Pickle}, "\xff\xd8\xff", "value of 3 bytes at byte 0: no whole pickle: 0xff is no opcode"},
		"a policy for any value":            {check.Rules{Pickle: check.Reject}, "\xff\xd8", "at byte 0: pickle policy: 0xff is no opcode"},
		"a call of something else":          {check.Rules{Pickle: check.Reject}, evil, `value of 15 bytes at byte 0: pickle policy: asks for "system" of module "os", which is not on the list`},
		"bytes after the end":               {check.Rules{Format: check.Pickle}, one + one, "at byte 4: no whole pickle: 5 bytes follow STOP"},
		"a broken pickle, logged":           {check.Rules{Format: check.Pickle, Pickle: check.Log}, evil + ".", "no whole pickle: 1 bytes follow STOP"},
		"no array file":                     {check.Rules{Format: check.NPY}, one + "123456", "at byte 0: no whole NPY file: it does not begin with"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.rules.Check([]byte(tt.value))
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v, want %q", err, tt.want)
			case tt.want != "" && !errors.Is(err, backend.ErrSourceInvalid):
				t.Errorf("%v does not wrap ErrSourceInvalid", err)
			}
		})
	}
}

func TestLoggedFindingsMayBeServed(t *testing.T) {
	rules := check.Rules{Format: check.Pickle, Pickle: check.Log}
	err := rules.Check([]byte("cos\nsystem\nN\x85R."))
	var e *check.Error
	if !errors.As(err, &e) || !e.Served || e.Rule != check.ByPolicy || !check.Served(err) || errors.Is(err, backend.ErrSourceInvalid) || !errors.Is(err, check.ErrPolicy) {
		t.Errorf("%+v", err)
	}
}

func TestHeader(t *testing.T) {
	big := "\x80\x05\x96\x00\x00\x00\x40\x00\x00\x00\x00" // a bytearray of 1 GiB
	for name, tt := range map[string]struct {
		rules  check.Rules
		prefix string
		size   int64
		want   string
	}{
		"nothing at hand":                {check.Rules{Format: check.Pickle}, "", 100, ""},
		"too long, known at once":        {check.Rules{MaxBytes: 10}, "", 100, "longer than"},
		"more than all":                  {check.Rules{}, "abc", 2, "more than all"},
		"a large value":                  {check.Rules{Format: check.Pickle}, big, 1<<30 + 12, ""},
		"a larger one than there is":     {check.Rules{Format: check.Pickle}, big, 1 << 30, "at byte 2: no whole pickle: opcode 0x96 needs 1073741824 bytes"},
		"a bad beginning":                {check.Rules{Format: check.Pickle}, "\xff", 100, "no opcode"},
		"logged":                         {check.Rules{Pickle: check.Log}, "cos\nsystem\n", 100, "os"},
		"rejecting needs all":            {check.Rules{Pickle: check.Reject}, "\x80\x04K", 100, "first 3 bytes only"},
		"rejecting with all":             {check.Rules{Pickle: check.Reject}, "\x80\x04K\x01.", 5, ""},
		"an array file's header":         {check.Rules{Format: check.NPY}, npy("'|u1'", "False", "(1000,)", 0), 128 + 1000, ""},
		"an array file too short for it": {check.Rules{Format: check.NPY}, npy("'|u1'", "False", "(1000,)", 0), 128 + 999, "not the 999 bytes"},
		"too little of an array file":    {check.Rules{Format: check.NPY}, npy("'|u1'", "False", "(1000,)", 0)[:40], 1128, "not in the bytes at hand"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.rules.Header([]byte(tt.prefix), tt.size)
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestValidateReportsAll(t *testing.T) {
	err := (&check.Rules{MinBytes: -1, MaxBytes: -2, Format: 9, Pickle: 9}).Validate()
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("%v", err)
	}
	for _, r := range []check.Rules{{MinBytes: 2, MaxBytes: 1}, {Format: check.NPY, Pickle: check.Log}} {
		if r.Validate() == nil {
			t.Errorf("%+v is valid", r)
		}
	}
	if err := (&check.Rules{MinBytes: 1, Format: check.Pickle, Pickle: check.Reject}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestNamesOfFormatsAndPolicies(t *testing.T) {
	for _, s := range []string{"any", "pickle", "npy"} {
		if f, ok := check.ParseFormat(s); !ok || f.String() != s {
			t.Errorf("format %s is %v, %v", s, f, ok)
		}
	}
	for _, s := range []string{"off", "log", "reject"} {
		if p, ok := check.ParsePolicy(s); !ok || p.String() != s {
			t.Errorf("policy %s is %v, %v", s, p, ok)
		}
	}
	if _, ok := check.ParseFormat("jpeg"); ok {
		t.Error("a format jpeg")
	}
	if _, ok := check.ParsePolicy(""); ok {
		t.Error("a policy without a name")
	}
}

func TestCRC32C(t *testing.T) {
	if got := check.CRC32C([]byte("123456789")); got != 0xe3069283 { // the checksum's published check value
		t.Errorf("%08x", got)
	}
}

func TestSum(t *testing.T) {
	value := []byte("123456789")
	for name, tt := range map[string]struct {
		stored any
		want   string
	}{
		"as forebay load stores it": {int64(0xe3069283), ""},
		"in an int column":          {int64(-0x1cf96d7d), ""},
		"of another value":          {int64(0xe3069284), "value of 9 bytes: it has crc32c e3069283, its row's column sum says e3069284"},
		"beyond 32 bits":            {int64(0x1e3069283), "column sum says"},
		"null":                      {nil, "its row has no checksum in column sum"},
		"no number":                 {"e3069283", "no checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			err := check.Sum(value, "sum", tt.stored)
			if (tt.want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), tt.want) || !errors.Is(err, backend.ErrSourceInvalid) || check.Served(err)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestLength(t *testing.T) {
	rules := check.Rules{MinBytes: 2, MaxBytes: 3, Format: check.NPY, Pickle: check.Reject} // the others need bytes
	for size, ok := range map[int64]bool{1: false, 2: true, 3: true, 4: false} {
		if err := rules.Length(size); (err == nil) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
