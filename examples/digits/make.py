"""Make digits-train.npz and digits-test.npz from the copy of the data set that scikit-learn ships.

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 scikit-learn==1.9.1
    venv/bin/python make.py

The first 1,437 samples become the training split, the last 360 the test split, in the order of the data set.
Entries carry a fixed date, so that the same input gives the same files.
"""

import io
import pathlib
import zipfile

import numpy as np
from sklearn.datasets import load_digits

TRAIN = 1437


def write(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an NPZ whose bytes depend on the arrays alone."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(name + ".npy", date_time=(1998, 7, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, member.getvalue())


def main() -> None:
    digits = load_digits()
    images = digits.images.astype(np.uint8)
    labels = digits.target.astype(np.int64)
    if images.shape != (1797, 8, 8) or not np.array_equal(images, digits.images):
        raise SystemExit(f"unexpected data: {images.shape}, {digits.images.dtype}")
    here = pathlib.Path(__file__).resolve().parent
    for split, part in (("train", slice(None, TRAIN)), ("test", slice(TRAIN, None))):
        path = here / f"digits-{split}.npz"
        write(path, {"images": images[part], "labels": labels[part]})
        print(f"{path.name}: {len(labels[part])} samples, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
