package examples_test

import (
	"path/filepath"
	"strings"
	"testing"

	"forebay/internal/testkit"
)

// passes checks what loader.py hands out, with a dataset that tells which process read each sample.
const passes = `
import os, sys
sys.path.insert(0, sys.argv[1])
from loader import Loader, WorkerError

class Numbers:
    def __init__(self, size, bad=None, fatal=None):
        self.size, self.bad, self.fatal = size, bad, fatal
    def __len__(self):
        return self.size
    def __getitems__(self, indices):
        if self.bad in indices:
            raise LookupError(f"no sample {self.bad}")
        if self.fatal in indices:
            os._exit(7)
        return [(i, os.getpid()) for i in indices]

def flat(loader):
    batches = list(loader)
    return [i for batch in batches for i, _ in batch], {pid for batch in batches for _, pid in batch}

def main():
    for size in (0, 1, 9, 10, 1000):
        for workers in (0, 1, 3):
            with Loader(Numbers(size), 10, num_workers=workers, persistent_workers=True) as loader:
                order, first = flat(loader)
                assert order == list(range(size)) and len(loader) == -(-size // 10), (size, workers, order)
                assert (os.getpid() in first) == (workers == 0 and size > 0), first
                assert len(first) == (min(max(workers, 1), len(loader))), first
                assert flat(loader) == (order, first), "other workers in the second pass"
                for batch in loader:
                    break  # a pass that is given up
                assert flat(loader)[0] == order, "the pass after one that was given up"
    respawned = Loader(Numbers(30), 10, num_workers=2)
    assert not flat(respawned)[1] & flat(respawned)[1], "the same workers in two passes"
    # A share and minibatches that are larger than any pipe's buffer.
    with Loader(Numbers(300_000), 50_000, num_workers=1, prefetch_factor=5, persistent_workers=True) as loader:
        assert flat(loader)[0] == flat(loader)[0] == list(range(300_000))
    for dataset, want in ((Numbers(100, bad=55), LookupError), (Numbers(100, fatal=55), WorkerError)):
        loader = Loader(dataset, 10, num_workers=2, persistent_workers=True)
        try:
            flat(loader)
        except want as error:
            print(error)
        else:
            raise AssertionError(f"no {want}")
        assert not loader._workers, "workers are left"

if __name__ == "__main__":
    main()
`

func TestLoaderHandsOutEverySampleOnceInOrder(t *testing.T) {
	script := filepath.Join(t.TempDir(), "passes.py")
	write(t, script, passes)
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	out, err := run(t, testkit.Python(t, "numpy", "redis==8.1.0"), script, here)
	lines := strings.Split(out, "\n")
	if err != nil || len(lines) != 3 || lines[0] != "no sample 55" || !strings.HasSuffix(lines[1], " ended with status 7") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// pickled checks that a dataset with an open client goes to another process, spawned or forked, and opens its own there.
const pickled = `
import multiprocessing, os, sys
sys.path.insert(0, sys.argv[1])
from dataset import Digits, collate

def read(dataset, pipe):
    pipe.send((dataset[3][1], dataset.client().client_id()))

def main():
    dataset = Digits(sys.argv[2], "test", session="run-7")
    images, labels = collate(dataset.__getitems__([3, 4]))
    assert images.shape == (2, 64) and images.max() == 1 and len(dataset) == 360
    mine = dataset.client().client_id()
    for method in ("spawn", "fork"):
        context = multiprocessing.get_context(method)
        ours, theirs = context.Pipe()
        process = context.Process(target=read, args=(dataset, theirs))
        process.start()
        label, other = ours.recv()
        process.join()
        assert label == labels[0] and other != mine, method
    assert dataset.client().client_id() == mine and dataset.client().client_getname() == "run-7"
    dataset.close()
    assert dataset[3][1] == labels[0]

if __name__ == "__main__":
    main()
`

func TestDatasetOpensAClientInEachProcess(t *testing.T) {
	server := testkit.Redis(t)
	python := testkit.Python(t, "numpy", "redis==8.1.0")
	if out, err := run(t, python, "-c", fill, server.URL()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script := filepath.Join(t.TempDir(), "pickled.py")
	write(t, script, pickled)
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, python, script, here, server.URL()); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
