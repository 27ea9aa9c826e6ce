"""Make a large set of images like MNIST: 60,000 of 28x28 uint8 in one NPY of 47 MB, and their labels in another.

    python3 examples/make_images.py images.npy labels.npy

Each image is one of the bundled handwritten digits, three times as large, moved by up to four pixels, with noise. The bytes depend
on --count and --seed alone, not on the machine or the version of NumPy: only whole numbers are computed with, and of NumPy's
generators only the raw stream is used, which never changes.
"""

import argparse
import hashlib
import os
import pathlib
import sys

import numpy as np

SIDE = 28
BLOCK = 4096  # images made at once; it bounds the memory


def arguments():
    parser = argparse.ArgumentParser(description="Make a large set of images like MNIST.")
    parser.add_argument("images", metavar="IMAGES", help="NPY to write: (count, 28, 28) uint8")
    parser.add_argument("labels", metavar="LABELS", help="NPY to write: (count,) uint8")
    parser.add_argument("--count", type=int, default=60_000, help="how many images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (default: %(default)s)")
    args = parser.parse_args()
    if args.count < 1 or args.seed < 0:
        parser.error("--count is at least 1, --seed at least 0")
    return args


def make(count, seed):
    """Return images and labels."""
    with np.load(pathlib.Path(__file__).resolve().parent / "digits" / "digits-train.npz") as digits:
        small, known = digits["images"], digits["labels"].astype(np.uint8)
    large = (15 * small).repeat(3, axis=1).repeat(3, axis=2)  # 0 to 240, so that noise of 0 to 15 fits
    images = np.empty((count, SIDE, SIDE), dtype=np.uint8)
    labels = np.empty(count, dtype=np.uint8)
    stream = np.random.PCG64(seed)
    words = SIDE * SIDE // 8  # 64-bit numbers of an image's noise; one more chooses digit and place
    for start in range(0, count, BLOCK):
        n = min(BLOCK, count - start)
        raw = stream.random_raw((n, words + 1)).astype("<u8")
        choice = raw[:, 0].copy().view("<u2").reshape(n, 4)
        down, right, which = choice[:, 0] % 5, choice[:, 1] % 5, choice[:, 2] % len(small)
        block = images[start : start + n]
        block[:] = raw[:, 1:].copy().view(np.uint8).reshape(n, SIDE, SIDE) >> 4
        for image, digit, y, x in zip(block, which.tolist(), down.tolist(), right.tolist()):
            image[y : y + 24, x : x + 24] += large[digit]
        labels[start : start + n] = known[which]
    return images, labels


def write(path, array):
    """Write an NPY, whole or not at all, and say what it is."""
    partial = path + ".partial"
    with open(partial, "wb") as file:
        np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
    with open(partial, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    os.replace(partial, path)
    print(f"{path}: {array.shape} {array.dtype}, {os.path.getsize(path)} bytes, sha256 {digest}")


def main():
    args = arguments()
    images, labels = make(args.count, args.seed)
    write(args.images, images)
    write(args.labels, labels)


if __name__ == "__main__":
    sys.exit(main())
