package redis

import "testing"

func TestLedger(t *testing.T) {
	base := counters{run: "a", keys: tally{100, 50}, commands: 1000}
	heard := tally{7, 3} // in all, at base
	tests := []struct {
		name   string
		now    counters
		heard  tally
		before tally
		want   verdict
	}{
		{"nothing happened", counters{"a", tally{100, 50}, 1001}, tally{7, 3}, tally{}, verdict{}},
		{
			"all heard",
			counters{"a", tally{110, 55}, 1001},
			tally{17, 8},
			tally{},
			verdict{heard: tally{10, 5}},
		},
		{
			"some lost, of each reason",
			counters{"a", tally{110, 55}, 1001},
			tally{8, 5},
			tally{},
			verdict{heard: tally{1, 2}, lost: tally{9, 3}},
		},
		{
			"reset: fewer commands",
			counters{"a", tally{104, 50}, 3},
			tally{11, 3},
			tally{},
			verdict{heard: tally{4, 0}, lost: tally{100, 50}, atLeast: true},
		},
		{
			"reset: counters fell, all heard",
			counters{"a", tally{4, 0}, 2000},
			tally{12, 4},
			tally{},
			verdict{heard: tally{5, 1}, atLeast: true},
		},
		{
			"reset: counters fell, some lost since",
			counters{"a", tally{9, 0}, 2000},
			tally{12, 3},
			tally{},
			verdict{heard: tally{5, 0}, lost: tally{4, 0}, atLeast: true},
		},
		{
			"reset: more heard than counted",
			counters{"a", tally{102, 50}, 2000},
			tally{107, 53},
			tally{},
			verdict{heard: tally{100, 50}, lost: tally{2, 0}, atLeast: true},
		},
		{
			"restart: what was heard before it does not count",
			counters{"b", tally{5, 2}, 10},
			tally{20, 4},
			tally{19, 4},
			verdict{heard: tally{13, 1}, lost: tally{4, 2}, atLeast: true, restart: true},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l ledger
			if v := l.settle(base, heard, tally{}); v != (verdict{unknown: true}) {
				t.Errorf("first moment: %+v", v)
			}
			if v := l.settle(tt.now, tt.heard, tt.before); v != tt.want {
				t.Errorf("verdict %+v, want %+v", v, tt.want)
			}
			if v := l.settle(tt.now, tt.heard, tt.before); v.restart || v.lost != (tally{}) || v.atLeast {
				t.Errorf("the same moment again: %+v", v)
			}
		})
	}
}

func TestMissingFlags(t *testing.T) {
	for have, want := range map[string]string{"": "Exeg", "A": "E", "AKE": "", "KEA": "", "Ex": "eg", "Kx": "Eeg", "gxeE": "", "K$": "Exeg"} {
		if got := missingFlags(have); got != want {
			t.Errorf("missingFlags(%q) = %q, want %q", have, got, want)
		}
	}
}

func TestParseChannel(t *testing.T) {
	for name, ok := range map[string]bool{
		"__keyevent@0__:expired": true, "__keyevent@15__:evicted": true, "__keyevent@0__:del": true,
		"__keyevent@0__:set": false, "__keyevent@x__:del": false, "__keyspace@0__:del": false, "__keyevent@0": false, "": false,
	} {
		if _, _, got := parseChannel(name); got != ok {
			t.Errorf("parseChannel(%q) = %t", name, got)
		}
	}
}
