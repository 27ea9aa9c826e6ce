"""Train the classifier of train.py on arrays that are each read whole, by one GET, with plain redis-py and NumPy.

    python3 examples/whole_array.py --url redis://127.0.0.1:6380/0

A key's value is the bytes of an NPY file: an object, which "forebay load --object" has stored and a route with "object:" serves. Each is read
once, before the first epoch; a fifth of the samples is held out. A set that fits into memory is read fastest so: one reply of 47 MB, not 60,000 of
784 bytes. The bundled digits have such keys too.
"""

import argparse
import hashlib
import io
import sys
import time

import numpy as np
import redis

from train import Missing, Softmax, counters, explained, ratio


def arguments():
    parser = argparse.ArgumentParser(description="Train a digit classifier on arrays read whole through Forebay.")
    parser.add_argument("--url", default="redis://127.0.0.1:6380/0", help="where to read (default: %(default)s)")
    parser.add_argument("--images", default="digits:train:images", help="key of the images (default: %(default)s)")
    parser.add_argument("--labels", default="digits:train:labels", help="key of their labels (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the samples (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="samples of one step (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=0.2, help="learning rate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the shuffling (default: %(default)s)")
    args = parser.parse_args()
    if args.epochs < 1 or args.batch < 1:
        parser.error("--epochs and --batch are at least 1")
    return args


def read(client, key):
    """Return the array that a key holds as an NPY file."""
    began = time.perf_counter()
    value = client.get(key)
    seconds = time.perf_counter() - began
    if value is None:
        raise Missing(key)
    try:
        array = np.load(io.BytesIO(value), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise SystemExit(f"whole_array.py: the value of {key} ({len(value)} bytes) is no NPY file: {error}")
    digest = hashlib.sha256(value).hexdigest()
    print(
        f"{key}: {array.shape} {array.dtype}, {len(value)} bytes in {seconds:.3f} s"
        f" ({len(value) / seconds / 1e6:,.0f} MB/s), sha256 {digest}",
        flush=True,
    )
    return array


def read_all(client, args):
    """Return the images as rows of pixels, their labels, and the largest pixel, which stands for 1."""
    before = counters(client.info())
    images, labels = read(client, args.images), read(client, args.labels)
    print(f"hit ratio {ratio(before, counters(client.info()))}")
    if len(images) != len(labels) or len(images) < 5:
        raise SystemExit(f"whole_array.py: {len(images)} images and {len(labels)} labels are no training set")
    rows = images.reshape(len(images), -1)
    return rows, labels.astype(np.int64), float(rows.max()) or 1.0


def train(images, labels, largest, args):
    """Train and return the model, with one line printed for each epoch."""
    model = Softmax(args.rate, images.shape[1])
    shuffle = np.random.default_rng(args.seed)
    for epoch in range(1, args.epochs + 1):
        began = time.perf_counter()
        right = 0
        order = shuffle.permutation(len(images))
        for start in range(0, len(order), args.batch):
            batch = order[start : start + args.batch]
            # Scaled here and not before: a minibatch of floats is small, all of them are four times the array.
            right += model.step(images[batch] / np.float32(largest), labels[batch])
        seconds = time.perf_counter() - began
        print(f"epoch {epoch}: accuracy {100 * right / len(order):.1f} %, {len(order) / seconds:,.0f} samples/s", flush=True)
    return model


def held_out(model, images, labels, largest, args):
    """Return the model's accuracy on samples that it was not trained on, 0 to 1."""
    right = 0
    for start in range(0, len(images), args.batch):
        part = slice(start, start + args.batch)
        right += int((model.predict(images[part] / np.float32(largest)) == labels[part]).sum())
    return right / len(images)


def main():
    args = arguments()
    with explained("whole_array.py", args.url):
        with redis.Redis.from_url(args.url) as client:
            images, labels, largest = read_all(client, args)
    cut = len(images) - len(images) // 5
    model = train(images[:cut], labels[:cut], largest, args)
    print(f"held-out accuracy {100 * held_out(model, images[cut:], labels[cut:], largest, args):.1f} %")


if __name__ == "__main__":
    sys.exit(main())
