"""Pickles of honest training samples, as the running NumPy writes them.

    good.py write        one line a pickle: name, protocol, pickle in hexadecimal
    good.py read FILE    loads each pickle of such a file and compares it with what was pickled

Kept in good-<numpy version>.txt; a test compares them with what each NumPy writes.
"""

import collections
import pickle
import sys

import numpy as np


def samples():
    rng = np.arange(784, dtype="u1").reshape(28, 28)
    yield "digit", {"image": rng[:8, :8].copy(), "label": 7}
    yield "image", rng
    yield "scalars-of-python", [None, True, False, 0, -1, 255, 65536, -(2**31), 2**40, -(2**63), 2**200, 1.5, "é", "\u4e2d", "", b"x"]
    yield "nested", {"a": [1, [2, (3, {"b": (4, 5, 6, 7)})]], "t": (), "l": [], "d": {}}
    yield "bytes", [b"\x00\xff" * 200, b"latin \xe9", b"z"]
    yield "long-text", "x" * 300 + "é"
    yield "surrogate", "file-\udcff"
    yield "list-of-1050", [str(n) for n in range(1050)]
    yield "dict-of-1050", {n: n * n for n in range(1050)}
    yield "ordered", collections.OrderedDict([("b", 1), ("a", [2])])
    yield "fortran", np.asfortranarray(np.arange(6.0).reshape(2, 3))
    yield "strided", np.arange(24).reshape(4, 6)[::2, ::3]
    yield "transposed", np.arange(24, dtype="u2").reshape(2, 3, 4).transpose(0, 2, 1)
    yield "zero-dimensional", np.array(3)
    yield "empty", np.zeros((0, 3))
    yield "five-dimensional", np.arange(32, dtype="i2").reshape(2, 2, 2, 2, 2)
    yield "read-only", np.frombuffer(b"abc", "u1")
    for code in "b1 i1 u1 i2 u2 i4 u4 i8 u8 f2 f4 f8 c8 c16 >i4 >f8".split():
        yield "array-" + code.replace(">", "big-"), np.arange(3).astype(code)
        yield "scalar-" + code.replace(">", "big-"), np.arange(3).astype(code)[1]
    yield "long-double", np.zeros(2, "f16")
    yield "text-array", np.array(["a", "bcd"])
    yield "text-scalar", np.str_("ab")
    yield "bytes-array", np.array([b"a", b"bcd"])
    yield "bytes-scalar", np.bytes_(b"ab")
    yield "void-array", np.zeros(2, "V3")
    yield "time", np.datetime64("2024-01-01T00:00:00", "s")
    yield "times", np.array(["2024-01-01", "NaT"], dtype="M8[ns]")
    yield "times-25us", np.zeros(2, dtype="M8[25us]")
    yield "times-without-unit", np.zeros(1, dtype="M8")
    yield "duration", np.timedelta64(5, "D")
    yield "dtype", [np.dtype("f4"), np.dtype(">i2"), np.dtype("S5"), np.dtype("M8[h]")]
    yield "structured", np.zeros(2, dtype=[("a", "<i4"), ("b", "<f4", (2,)), ("c", "U3"), ("d", "S2")])
    yield "structured-nested", np.zeros(2, dtype=[("a", [("x", "i1"), ("t", "M8[s]")], (2, 2)), ("b", "U2", (3,))])
    yield "structured-aligned", np.zeros(2, dtype=np.dtype([("a", "i1"), ("b", "i8")], align=True))
    yield "structured-padded", np.zeros(2, dtype=np.dtype({"names": ["b", "a"], "formats": ["u1", "i4"], "offsets": [9, 1], "itemsize": 16}))
    yield "structured-scalar", np.ones(1, dtype=[("a", "<i4"), ("b", "f8")])[0]
    yield "structured-empty", np.zeros(2, dtype=[])
    shared = np.arange(4.0)
    yield "shared", {"x": shared, "again": shared, "dtype": np.arange(3.0), "numpy": "ndarray"}
    yield "batch", [(np.full((4, 4), n, "f4"), n) for n in range(20)]
    yield "many-types", [np.zeros(1, t) for t in "u1 i8 f4 U3 M8[s] u1 f4".split()]
    row = ["x"] * 10
    yield "referred-to", [row, row, {"row": row}]


def protocols(name):
    """Protocol 0 is for a few. Empty bytes have no form of their own before 3, sets before 4, bytearrays before 5: older ones name builtins."""
    if name in ("digit", "structured", "bytes", "times", "scalars-of-python", "fortran"):
        yield 0
        yield 1
    yield from range(3 if name in ("empty", "structured-empty") else 2, 6)


def pickles():
    for name, value in samples():
        for protocol in protocols(name):
            yield name, protocol, value, pickle.dumps(value, protocol)
    for name, value in (("set", {7}), ("frozenset", frozenset([(1, "a")]))):
        for protocol in (4, 5):
            yield name, protocol, value, pickle.dumps(value, protocol)
    yield "bytearray", 5, bytearray(b"xyz"), pickle.dumps(bytearray(b"xyz"), 5)


def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, (np.ndarray, np.generic)):
        native = lambda x: x.astype(x.dtype.newbyteorder("="))  # NumPy loads no other order
        return a.shape == b.shape and native(a).dtype == native(b).dtype and native(a).tobytes() == native(b).tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def main():
    if sys.argv[1] == "write":
        for name, protocol, _, data in pickles():
            print(name, protocol, data.hex())
        return
    expected = {(name, protocol): value for name, protocol, value, _ in pickles()}
    read = 0
    with open(sys.argv[2]) as lines:
        for line in lines:
            name, protocol, data = line.split()
            value = pickle.loads(bytes.fromhex(data))
            assert same(value, expected[name, int(protocol)]), (name, protocol, value)
            read += 1
    print("read", read)


if __name__ == "__main__":
    main()
