"""The digits as a PyTorch map-style dataset, with plain redis-py. PyTorch itself is not needed to import it.

A redis client holds sockets, so it can neither be pickled into a spawned worker nor be shared with a forked one. Digits
therefore opens its client at the first read in each process, and leaves it out when it is pickled.

DataLoader asks a dataset that has __getitems__ for a whole minibatch at once: one MGET, not one GET a sample.
"""

import os

import numpy as np
import redis

from train import SPLITS, decode, names


class Digits:
    """One split of the digits, read through url. It is cheap to make and to pickle: nothing is read or connected before use.

    It is for one thread of each process, as DataLoader's workers use it.
    """

    def __init__(self, url, split, session=None):
        self.url = url
        self.split = split
        self.session = session
        self._client = None
        self._pid = None

    def __len__(self):
        return SPLITS[self.split]

    def __getitem__(self, index):
        return self.__getitems__([index])[0]

    def __getitems__(self, indices):
        """Return (image, label) of each index, read by one MGET."""
        keys = names(self.split, indices)
        return list(zip(*decode(keys, self.client().mget(keys))))

    def __getstate__(self):
        return {**self.__dict__, "_client": None, "_pid": None}

    def client(self):
        """Return this process's own client; the one that a forked process inherits is its parent's."""
        if self._pid != os.getpid():
            self._client = redis.Redis.from_url(self.url, client_name=self.session)
            self._pid = os.getpid()
        return self._client

    def close(self):
        """Close this process's connections. The next read opens new ones."""
        if self._client is not None and self._pid == os.getpid():
            self._client.close()
        self._client = self._pid = None


def collate(samples):
    """Return a minibatch of samples as two arrays."""
    images, labels = zip(*samples)
    return np.stack(images), np.array(labels, dtype=np.int64)
