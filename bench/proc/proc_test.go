package proc_test

import (
	"os"
	"runtime"
	"testing"
	"time"

	"forebay/bench/proc"
)

func usage(t *testing.T) proc.Usage {
	t.Helper()
	u, err := proc.Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCPUIsCounted(t *testing.T) {
	before := usage(t).CPU
	end := time.Now().Add(10 * time.Second)
	for usage(t).CPU < before+50*time.Millisecond {
		if time.Now().After(end) {
			t.Fatal("10 s of work, and less than 50 ms of CPU time")
		}
	}
}

func TestMemoryAndItsPeak(t *testing.T) {
	const size = 64 << 20
	before := usage(t)
	block := make([]byte, size)
	for i := range block {
		block[i] = 1
	}
	with := usage(t)
	if got := with.RSS - before.RSS; got < size*9/10 || with.Peak < with.RSS {
		t.Errorf("64 MiB more are %d bytes more, the peak is %d", got, with.Peak)
	}
	runtime.KeepAlive(block)
	if err := proc.ResetPeak(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if after := usage(t); after.Peak > with.Peak+size/2 || after.Peak < after.RSS/2 {
		t.Errorf("after the reset the peak is %d of %d", after.Peak, after.RSS)
	}
}

func TestAProcessThatIsNotThere(t *testing.T) {
	if _, err := proc.Of(1 << 30); err == nil {
		t.Error("no error")
	}
	if err := proc.ResetPeak(1 << 30); err == nil {
		t.Error("no error")
	}
}
