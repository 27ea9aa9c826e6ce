"""Load one sample in each encoding: python values.py PICKLED STORED NPY LABEL PIXELS, files but for the label; PIXELS are its raw bytes."""

import pickle
import sys

import numpy as np

pickled, stored, npy, label, pixels = sys.argv[1:]
with open(pixels, "rb") as f:
    want = np.frombuffer(f.read(), dtype=np.uint8).reshape(8, 8)
for name in (pickled, stored):
    with open(name, "rb") as f:
        sample = pickle.load(f)
    image = sample["image"]
    assert set(sample) == {"image", "label"}, sample
    assert type(sample["label"]) is int and sample["label"] == int(label), sample["label"]
    assert type(image) is np.ndarray and image.shape == (8, 8) and image.dtype == np.uint8, (image.shape, image.dtype)
    assert (image == want).all()
    assert image.flags.writeable
    image += 1
array = np.load(npy, allow_pickle=False)
assert array.shape == (8, 8) and array.dtype == np.uint8 and (array == want).all()
print("numpy", np.__version__)
