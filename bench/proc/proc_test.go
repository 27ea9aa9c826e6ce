package proc_test

import (
	"os"
	"runtime"
	"syscall"
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

// ownCPU is what the kernel says to the process itself.
func ownCPU(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func TestCPUIsCounted(t *testing.T) {
	for end := ownCPU(t) + 100*time.Millisecond; ownCPU(t) < end; {
		runtime.Gosched() // work
	}
	low := ownCPU(t)
	got := usage(t).CPU
	// User and system time are each cut to 10 ms.
	if high := ownCPU(t); got < low-20*time.Millisecond || got > high+10*time.Millisecond {
		t.Errorf("%v of CPU time, want between %v and %v", got, low, high)
	}
}

// The memory is mapped, not Go's: what the heap has freed and holds would count.
func TestMemoryAndItsPeak(t *testing.T) {
	const size, slack = 64 << 20, 16 << 20
	before := usage(t)
	block, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	for i := range block {
		block[i] = 1
	}
	with := usage(t)
	if got := with.RSS - before.RSS; got < size-slack || got > size+slack || with.Peak < with.RSS-slack {
		t.Errorf("64 MiB more are %d bytes more, the peak is %d", got, with.Peak)
	}
	if err := syscall.Munmap(block); err != nil {
		t.Fatal(err)
	}
	if after := usage(t); after.Peak < with.Peak-slack || after.RSS > with.RSS-size+slack {
		t.Errorf("without them: %d bytes, the peak is %d", after.RSS, after.Peak)
	}
	if err := proc.ResetPeak(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if after := usage(t); after.Peak > with.Peak-size+slack || after.Peak < after.RSS-slack {
		t.Errorf("after the reset: %d bytes, the peak is %d", after.RSS, after.Peak)
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
