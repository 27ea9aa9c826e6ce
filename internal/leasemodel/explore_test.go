package leasemodel_test

import (
	"strings"
	"testing"
	"time"

	"forebay/internal/leasemodel"
	"forebay/internal/testkit"
)

// most bounds an exploration: about 1 GB.
const most = 16_000_000

// Nothing is wrong in any state that the protocol can reach. The larger scenarios are for soaks.
func TestNothingIsWrong(t *testing.T) {
	const (
		update  = leasemodel.Update
		set     = leasemodel.SetOnly
		unknown = leasemodel.Unknown
	)
	type writes = []leasemodel.Write
	_, until := testkit.Soak()
	soak := time.Now().Before(until)
	tests := []struct {
		soak bool
		leasemodel.Scenario
	}{
		{false, leasemodel.Scenario{Name: "an update, unknown keys", Readers: 2, Writers: writes{update, unknown}, Crashes: 1, Refreshes: 1}},
		{false, leasemodel.Scenario{Name: "a break", Readers: 2, Writers: writes{update}, Crashes: 1, Refreshes: 1, Breaks: 1}},
		{false, leasemodel.Scenario{Name: "an update, a SET", Readers: 2, Writers: writes{update, set}, Crashes: 1, Refreshes: 1}},
		{false, leasemodel.Scenario{Name: "a row that is new", Readers: 2, Writers: writes{update, unknown}, Absent: 1, Crashes: 1, Refreshes: 1}},
		{false, leasemodel.Scenario{Name: "a row that goes", Readers: 2, Writers: writes{update, unknown}, Absent: 2, Crashes: 1, Refreshes: 1}},
		{false, leasemodel.Scenario{Name: "a reading ahead", Readers: 2, Writers: writes{update}, Crashes: 1, Aheads: 1}},

		{true, leasemodel.Scenario{Name: "an update, unknown keys, a break", Readers: 2, Writers: writes{update, unknown}, Crashes: 1, Refreshes: 1, Breaks: 1}},
		{true, leasemodel.Scenario{Name: "an update, a SET, a break", Readers: 2, Writers: writes{update, set}, Crashes: 1, Refreshes: 1, Breaks: 1}},
		{true, leasemodel.Scenario{Name: "a row that goes, a break", Readers: 2, Writers: writes{update, unknown}, Absent: 2, Crashes: 1, Refreshes: 1, Breaks: 1}},
		{true, leasemodel.Scenario{Name: "two crashes, two refreshes", Readers: 2, Writers: writes{update, unknown}, Crashes: 2, Refreshes: 2}},
		{true, leasemodel.Scenario{Name: "three readers", Readers: 3, Writers: writes{update, unknown}, Crashes: 1, Refreshes: 1}},
		{true, leasemodel.Scenario{Name: "three writers", Readers: 2, Writers: writes{update, set, unknown}, Crashes: 1, Refreshes: 1}},
		{true, leasemodel.Scenario{Name: "a reading ahead, two writers", Readers: 2, Writers: writes{update, unknown}, Aheads: 1}},
		{true, leasemodel.Scenario{Name: "a reading ahead, a refresh, a break", Readers: 2, Writers: writes{update}, Aheads: 1, Refreshes: 1, Breaks: 1}},
	}
	for _, tt := range tests {
		if tt.soak && !soak {
			continue
		}
		t.Run(tt.Name, func(t *testing.T) {
			res := tt.Explore(most)
			t.Log(res)
			if res.Problem != "" {
				t.Errorf("%s\n%s", res.Problem, res.Way())
			} else if !res.Whole {
				t.Error("not every state was reached")
			}
		})
	}
}

// Each rule is needed: without it there is a way to something wrong, of which the shortest is printed.
func TestEachRuleIsNeeded(t *testing.T) {
	const (
		update  = leasemodel.Update
		set     = leasemodel.SetOnly
		unknown = leasemodel.Unknown
	)
	type writes = []leasemodel.Write
	one, two := leasemodel.Scenario{Readers: 1, Writers: writes{update}}, leasemodel.Scenario{Readers: 2, Writers: writes{update}}
	with := func(sc leasemodel.Scenario, change func(*leasemodel.Scenario)) leasemodel.Scenario {
		change(&sc)
		return sc
	}
	const stored, given, replaced = "redis holds an old row", "a reader is given", "what a client has set is replaced"
	tests := map[string]struct {
		rules leasemodel.Rules
		in    leasemodel.Scenario
		want  string
	}{
		"a fill is compared with the token of the lease":       {leasemodel.Rules{NoToken: true}, one, stored},
		"a fill is compared with the generation":               {leasemodel.Rules{NoGeneration: true}, leasemodel.Scenario{Readers: 1, Writers: writes{unknown}}, stored},
		"a fill replaces nothing":                              {leasemodel.Rules{Overwrite: true}, leasemodel.Scenario{Readers: 1, Writers: writes{set}}, replaced},
		"a refresh is compared with the digest":                {leasemodel.Rules{NoDigest: true}, leasemodel.Scenario{Readers: 1, Writers: writes{set}, Refreshes: 1}, replaced},
		"a row that was read ahead is compared with its area":  {leasemodel.Rules{NoArea: true}, with(one, func(sc *leasemodel.Scenario) { sc.Aheads = 1 }), stored},
		"tokens are never used twice":                          {leasemodel.Rules{OneToken: true}, two, stored},
		"a question that is sent again has another token":      {leasemodel.Rules{OneTry: true}, with(one, func(sc *leasemodel.Scenario) { sc.Breaks = 1 }), stored},
		"a writer drops the lease":                             {leasemodel.Rules{NoDrop: true}, one, stored},
		"a write waits until the lease has gone":               {leasemodel.Rules{WriteUndropped: true}, one, stored},
		"what was refused is nobody's":                         {leasemodel.Rules{HandOutRefused: true}, two, given},
		"what may have been refused is nobody's who came late": {leasemodel.Rules{HandOutUnheard: true}, with(two, func(sc *leasemodel.Scenario) { sc.Breaks = 1 }), given},
		"a flight is sealed before its fill":                   {leasemodel.Rules{SealLate: true}, two, given},
		"what a look finds is not for who came since":          {leasemodel.Rules{LookForAll: true}, leasemodel.Scenario{Readers: 2, Writers: writes{update, set}}, given},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.in.Rules = tt.rules
			res := tt.in.Explore(most)
			t.Logf("%v\n%s", res, res.Way())
			if !strings.HasPrefix(res.Problem, tt.want) || len(res.Trace) < 8 {
				t.Errorf("found %q in %d steps, want %q", res.Problem, len(res.Trace), tt.want)
			}
		})
	}
}
