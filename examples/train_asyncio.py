"""Train the classifier of train.py while the next minibatches are on their way, with redis.asyncio.

    python3 examples/train_asyncio.py --url redis://127.0.0.1:6380/0 --ahead 4

Up to --ahead MGETs are in flight, each on a connection of its own; minibatches come in the order of the shuffling, whichever
reply is first. The step of training runs in a thread, so that replies are read meanwhile.
"""

import argparse
import asyncio
import collections
import contextlib
import sys
import time

import numpy as np
import redis.asyncio

from train import SPLITS, Softmax, counters, decode, explained, names, ratio, report


def arguments():
    parser = argparse.ArgumentParser(description="Train a digit classifier on samples read ahead through Forebay.")
    parser.add_argument("--url", default="redis://127.0.0.1:6380/0", help="where to read (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the training split (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="samples of one MGET and step (default: %(default)s)")
    parser.add_argument("--ahead", type=int, default=4, help="most MGETs in flight (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=0.2, help="learning rate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the shuffling (default: %(default)s)")
    args = parser.parse_args()
    if min(args.epochs, args.batch, args.ahead) < 1:
        parser.error("--epochs, --batch and --ahead are at least 1")
    return args


async def fetch(client, split, indices):
    """Return the images and labels of some samples, by one MGET."""
    keys = names(split, indices)
    return decode(keys, await client.mget(keys))


async def batches(client, split, order, args):
    """Yield minibatches in order, with up to args.ahead of them asked for before they are needed."""
    starts = iter(range(0, len(order), args.batch))
    asked = collections.deque()

    def ask():
        for start in starts:
            asked.append(asyncio.create_task(fetch(client, split, order[start : start + args.batch])))
            return

    try:
        for _ in range(args.ahead):
            ask()
        while asked:
            batch = await asked[0]
            asked.popleft()
            ask()  # before the step, which takes its time
            yield batch
    finally:
        # After an error, or if the caller stops early: no task and no reply may be left behind.
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def train(client, args):
    """Train and return the model, with one line printed for each epoch."""
    model = Softmax(args.rate)
    shuffle = np.random.default_rng(args.seed)
    size = SPLITS["train"]
    for epoch in range(1, args.epochs + 1):
        before = counters(await client.info())
        began = time.perf_counter()
        right = 0
        async with contextlib.aclosing(batches(client, "train", shuffle.permutation(size), args)) as ready:
            async for images, labels in ready:
                right += await asyncio.to_thread(model.step, images, labels)
        seconds = time.perf_counter() - began
        report(epoch, right, size, seconds, ratio(before, counters(await client.info())))
    return model


async def held_out(client, model, args):
    """Return the model's accuracy on the test split, 0 to 1."""
    right = 0
    async with contextlib.aclosing(batches(client, "test", range(SPLITS["test"]), args)) as ready:
        async for images, labels in ready:
            right += int((model.predict(images) == labels).sum())
    return right / SPLITS["test"]


async def run(args):
    async with redis.asyncio.Redis.from_url(args.url) as client:
        model = await train(client, args)
        print(f"held-out accuracy {100 * await held_out(client, model, args):.1f} %")


def main():
    args = arguments()
    with explained("train_asyncio.py", args.url):
        asyncio.run(run(args))


if __name__ == "__main__":
    sys.exit(main())
