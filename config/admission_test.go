package config_test

import (
	"strings"
	"testing"

	"forebay/config"
)

func TestAdmission(t *testing.T) {
	c := loaded(t, "admission: {policy: stable, high: 80%, max_bytes: 2GiB}\n", nil, nil)
	if want := (config.Admission{Policy: config.AdmitStable, High: 0.8, MaxBytes: 2 << 30}); c.Admission != want {
		t.Errorf("got %+v, want %+v", c.Admission, want)
	}
	if c := loaded(t, "", nil, nil); c.Admission.Policy != config.AdmitAll {
		t.Errorf("the default is %+v", c.Admission)
	}
	_, lines := parse(t, "admission: {policy: some, high: 0%, max_bytes: 1KiB}\n", nil, nil)
	for _, field := range []string{"admission.policy", "admission.high", "admission.max_bytes"} {
		if !strings.Contains(strings.Join(lines, "\n"), field) {
			t.Errorf("no complaint of %s in %q", field, lines)
		}
	}
}
