package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// torchVariable names an interpreter with PyTorch, NumPy and redis-py, for who has one: it is 5 GB, which no test fetches.
const torchVariable = "TEST_TORCH_PYTHON"

// example is a running program of examples/, in a process group of its own, with all that it starts.
type example struct {
	cmd   *exec.Cmd
	out   string // path of what it printed
	ended bool   // all of its group
}

// startExample starts one; what is left of its group is killed after the test.
func startExample(t *testing.T, python, script string, args ...string) *example {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	must(t, err)
	defer out.Close()
	e := &example{cmd: exec.Command(python, append([]string{"../../examples/" + script}, args...)...), out: out.Name()}
	e.cmd.Stdout, e.cmd.Stderr = out, out
	e.cmd.Env = environment(t)
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, e.cmd.Start())
	t.Cleanup(func() {
		if e.ended {
			return // the group's number may be another's by now
		}
		_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL)
		_ = e.cmd.Wait() // an error if it was waited for before
	})
	return e
}

func (e *example) printed(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(e.out)
	must(t, err)
	return string(text)
}

// wantAlone wants nobody left of its process group. Once it has been waited for, its own number is the group's only.
func (e *example) wantAlone(t *testing.T) {
	t.Helper()
	eventually(t, "no process of the example is left", func() bool {
		return errors.Is(syscall.Kill(-e.cmd.Process.Pid, 0), syscall.ESRCH)
	})
	e.ended = true
}

// runExample runs one to its end, which must be a good one that leaves nobody, and returns what it printed.
func runExample(t *testing.T, python, script string, args ...string) string {
	t.Helper()
	e := startExample(t, python, script, args...)
	err := e.cmd.Wait()
	out := e.printed(t)
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	e.wantAlone(t)
	t.Logf("%s %s\n%s", script, strings.Join(args, " "), out)
	return out
}

// wantAccuracy wants over 90 % printed.
func wantAccuracy(t *testing.T, out string) {
	t.Helper()
	var accuracy float64
	_, last, _ := strings.Cut(out, "held-out accuracy ")
	if _, err := fmt.Sscan(last, &accuracy); err != nil || accuracy <= 90 {
		t.Errorf("held-out accuracy is %v %%, want over 90:\n%s", accuracy, out)
	}
}

// wantEpochs wants an epoch of misses and one of hits printed.
func wantEpochs(t *testing.T, out string) {
	t.Helper()
	var got []string
	for _, m := range epochLine.FindAllStringSubmatch(out, -1) {
		got = append(got, m[2]+" hits, "+m[3]+" misses")
	}
	want := fmt.Sprintf("[0 hits, %d misses %d hits, 0 misses]", trainSize, trainSize)
	if fmt.Sprint(got) != want {
		t.Errorf("the epochs have %v, want %s:\n%s", got, want, out)
	}
}

// told is the part of an event's line that these tests look at, beside a record's.
type told struct{ Kind, Key, Session, Text, Reason string }

// tellings are the events of some kind as Kafka has them.
func tellings(t *testing.T, s *stream, kinds string) (list []told) {
	t.Helper()
	for _, line := range s.lines {
		var e told
		must(t, json.Unmarshal(line.text, &e))
		if strings.Contains(kinds, e.Kind) {
			list = append(list, e)
		}
	}
	return list
}

func TestExamplesTrainOnTheRealStack(t *testing.T) {
	t.Parallel()
	type run struct {
		name, python, script, kind string
		args                       []string
	}
	python := trainer(t)
	runs := []run{
		{"minibatches", python, "train.py", "", []string{"--session", "run-e2e"}},
		{"asyncio", python, "train_asyncio.py", "", []string{"--ahead", "3"}},
		{"workers", python, "train_loader.py", "2 workers of multiprocessing\n", []string{"--loader", "plain", "--session", "run-e2e"}},
		{"workers made anew", python, "train_loader.py", "3 workers of multi", []string{"--loader", "plain", "--workers", "3", "--no-persistent"}},
		{"no workers", python, "train_loader.py", "0 workers of multi", []string{"--loader", "plain", "--workers", "0"}},
	}
	if torch := os.Getenv(torchVariable); torch != "" {
		runs = append(runs,
			run{"torch", torch, "train_loader.py", "2 workers of torch ", []string{"--loader", "torch", "--session", "run-e2e"}},
			run{"torch anew", torch, "train_loader.py", "1 workers of torch ", []string{"--loader", "torch", "--workers", "1", "--no-persistent"}})
	}
	for _, tt := range runs {
		t.Run(tt.name, func(t *testing.T) {
			s := newStack(t, nil)
			out := runExample(t, tt.python, tt.script, append([]string{"--url", s.url(), "--epochs", "2"}, tt.args...)...)
			if !strings.HasPrefix(out, tt.kind) {
				t.Errorf("it does not begin with %q:\n%s", tt.kind, out)
			}
			wantAccuracy(t, out)
			wantEpochs(t, out)
			events := s.end(t)
			events.wantWhole(t)
			wantEachRead(t, events)
			if tt.args[len(tt.args)-1] == "run-e2e" {
				wantSession(t, events, "run-e2e")
			}
			if tt.script == "train.py" {
				wantMessages(t, events, out)
			}
		})
	}
}

// wantEachRead wants an event for each sample of each epoch, one for each held-out sample, and no sample loaded twice.
func wantEachRead(t *testing.T, s *stream) {
	t.Helper()
	reads := s.reads()
	for split, n := range map[string]struct{ samples, times int }{"train": {trainSize, 2}, "test": {testSize, 1}} {
		for i := range n.samples {
			if got := reads[key(split, i)]; got != n.times {
				t.Fatalf("%s was read %d times, want %d", key(split, i), got, n.times)
			}
		}
	}
	if got, want := len(s.of("miss")), trainSize+testSize; got != want || len(reads) != want {
		t.Errorf("%d misses of %d keys, want %d", got, len(reads), want)
	}
}

// wantSession wants every read told of as the session's, whichever process read.
func wantSession(t *testing.T, s *stream, name string) {
	t.Helper()
	for _, e := range tellings(t, s, "hit miss") {
		if e.Session != name {
			t.Fatalf("a read of %s is session %q's, want %q", e.Key, e.Session, name)
		}
	}
}

// wantMessages wants what was printed for each epoch published as well.
func wantMessages(t *testing.T, s *stream, out string) {
	t.Helper()
	var got []string
	for _, e := range tellings(t, s, "log") {
		if e.Session != "run-e2e" {
			t.Errorf("the message %q is session %q's", e.Text, e.Session)
		}
		got = append(got, e.Text)
	}
	want := regexp.MustCompile(`(?m)^epoch .*$`).FindAllString(out, -1)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the messages are %q, want %q", got, want)
	}
}

func TestWorkersEndWithTheirTrainer(t *testing.T) {
	t.Parallel()
	s := newStack(t, nil)
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			e := startExample(t, trainer(t), "train_loader.py", "--url", s.url(), "--epochs", "100000", "--loader", "plain")
			eventually(t, "its workers read", func() bool { return strings.Contains(e.printed(t), "epoch 2: ") })
			must(t, e.cmd.Process.Signal(signal))
			if err := e.cmd.Wait(); err == nil {
				t.Error("the trainer ended well")
			}
			e.wantAlone(t)
		})
	}
}
