"""A small stand-in for torch.utils.data.DataLoader where PyTorch is not installed: the same arguments, plain multiprocessing.

Each worker is a spawned process with one pipe to this one:

  1. an epoch's share of minibatches goes down, while the worker does nothing but wait for it: a pipe of any size takes it;
  2. minibatches come up, in order; for each one that is taken, a short note goes down;
  3. a worker with prefetch_factor minibatches not taken yet waits for a note.

So neither side ever waits for the other to read what it is writing, and a worker whose parent is gone, killed even, reads
the end of its pipe and ends.
"""

import multiprocessing
import pickle
import traceback

import numpy as np


class WorkerError(Exception):
    """A worker ended, or failed with an error that cannot be sent; the text says how."""


class Loader:
    """Iterates over minibatches of a map-style dataset, once for each pass.

    The dataset has __len__ and __getitems__ and can be pickled. Without workers it is read in this process. With
    persistent_workers the processes, and with them their connections, stay from pass to pass; close ends them.
    """

    def __init__(self, dataset, batch_size, shuffle=None, num_workers=0, persistent_workers=False, prefetch_factor=2, collate_fn=list):
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle  # a numpy.random.Generator, or None for the dataset's own order
        self.num_workers = num_workers
        self.persistent_workers = persistent_workers
        self.prefetch_factor = prefetch_factor
        self.collate_fn = collate_fn
        self._workers = []

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        size = len(self.dataset)
        order = np.arange(size) if self.shuffle is None else self.shuffle.permutation(size)
        batches = [order[start : start + self.batch_size].tolist() for start in range(0, size, self.batch_size)]
        if self.num_workers == 0:
            for indices in batches:
                yield self.collate_fn(self.dataset.__getitems__(indices))
            return
        whole = False
        try:
            yield from self._pass(batches)
            whole = True
        finally:
            # Workers in the middle of a pass hold minibatches that the next one must not get.
            if not whole or not self.persistent_workers:
                self.close()

    def _pass(self, batches):
        if not self._workers:
            self._workers = [Worker(self.dataset, self.collate_fn, self.prefetch_factor) for _ in range(self.num_workers)]
        for n, worker in enumerate(self._workers):
            worker.begin(batches[n :: self.num_workers])
        for n in range(len(batches)):
            yield self._workers[n % self.num_workers].take()

    def close(self):
        """End the workers and wait for their end."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.end()
        for worker in workers:
            worker.process.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Worker:
    """One process that reads minibatches, as this process sees it."""

    def __init__(self, dataset, collate, ahead):
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=work, args=(theirs, dataset, collate, ahead), daemon=True)
        self.process.start()
        theirs.close()  # the worker's alone: so its end is seen here

    def begin(self, batches):
        self._tell(batches)

    def take(self):
        """Return the next minibatch."""
        try:
            batch, failure = self.pipe.recv()
        except (EOFError, ConnectionError):
            raise self._ended() from None
        if failure:
            error, where = failure
            raise error from WorkerError(where)
        self._tell(None)
        return batch

    def end(self):
        """Let the worker end; whatever it is doing, it does not outlast its pipe by more than one read."""
        self.pipe.close()

    def _tell(self, message):
        try:
            self.pipe.send(message)
        except ConnectionError:
            raise self._ended() from None

    def _ended(self):
        self.process.join()
        return WorkerError(f"worker {self.process.pid} ended with status {self.process.exitcode}")


def work(pipe, dataset, collate, ahead):
    """Serve one pipe until it is closed. This runs in the worker."""
    try:
        while True:
            untaken = 0
            for indices in pipe.recv():
                if untaken == ahead:
                    pipe.recv()
                    untaken -= 1
                pipe.send((collate(dataset.__getitems__(indices)), None))
                untaken += 1
            for _ in range(untaken):  # the notes of this pass are not the next one's share
                pipe.recv()
    except (EOFError, ConnectionError, KeyboardInterrupt):
        return  # the parent is done, or gone, or told by Ctrl-C as well
    except Exception as error:
        # The parent may be telling that it took the minibatch before: its note must find somebody, or it would learn of an end in place of
        # the error. So the worker stays until the pipe is closed.
        try:
            pipe.send((None, (sendable(error), traceback.format_exc())))
            while True:
                pipe.recv()
        except (EOFError, ConnectionError, KeyboardInterrupt):
            return


def sendable(error):
    """Return the error if it survives being pickled, else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return WorkerError(f"{type(error).__name__}: {error}")
