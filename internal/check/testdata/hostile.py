"""Pickles that a policy must not admit, each doing in a harmless form what its name says.

    hostile.py write    one line a pickle: name, effect, pickle in hexadecimal
    hostile.py prove    loads each in a process and a folder of its own and checks its effect

Effects: `marker` writes a file named marker in the working folder; `raises` is refused by Python's reader itself; `imports:M` imports module M;
the others are functions of this file. Nothing is written outside of the folder, and no address that is not the array's own is read.
"""

import collections
import copyreg
import ctypes
import io
import os
import pickle
import resource
import struct
import sys
import tempfile
import time

import numpy as np

TOUCH = "touch marker"
OPEN = "open('marker','w')"
P4 = b"\x80\x04"


def s(text):
    data = text.encode()
    return b"\x8c" + bytes([len(data)]) + data if len(data) < 256 else b"X" + struct.pack("<I", len(data)) + data


def b(data):
    return b"C" + bytes([len(data)]) + data


def i(n):
    return b"J" + struct.pack("<i", n)


def g(module, name):
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def sg(module, name):
    return s(module) + s(name) + b"\x93"


def t(*parts):
    return b"(" + b"".join(parts) + b"t"


def call(function, *args):
    return function + t(*args) + b"R"


def pickled(value):
    """The simple values that arguments are made of."""
    return pickle.dumps(value, 2)[2:-1]


NDARRAY = sg("numpy", "ndarray")
RECONSTRUCT = sg("numpy.core.multiarray", "_reconstruct")
SCALAR = sg("numpy.core.multiarray", "scalar")
FROMBUFFER = sg("numpy.core.numeric", "_frombuffer")
ORDERED = call(sg("collections", "OrderedDict"))


def dtype(code, state=None):
    made = call(sg("numpy", "dtype"), s(code), b"\x89", b"\x88")
    return made if state is None else made + state + b"b"


def state(order="|", sub=b"N", names=b"N", fields=b"N", size=-1, align=-1, flags=0):
    return t(i(3), s(order), sub, names, fields, i(size), i(align), i(flags))


U1 = dtype("u1", state())
F8 = dtype("f8", state("<"))


def fields(*entries):
    return b"}(" + b"".join(s(name) + t(d, i(offset)) for name, d, offset in entries) + b"u"


def array(kind, shape, raw):
    empty = call(RECONSTRUCT, NDARRAY, t(i(0)), b(b"b"))
    return empty + t(i(1), shape, kind, b"\x89", raw) + b"b"


def execution():
    """Calls that run code, by modules that block lists know and by those they forgot."""
    yield "os-system-global", g("os", "system") + t(s(TOUCH)) + b"R."
    yield "os-system-protocol-0", b"cposix\nsystem\np0\n(Vtouch marker\np1\ntp2\nRp3\n."
    yield "os-system-stack-global", P4 + call(sg("os", "system"), s(TOUCH)) + b"."
    yield "os-system-in-a-list", P4 + b"](" + i(1) + call(sg("posix", "system"), s(TOUCH)) + b"e."
    yield "os-system-as-a-key", P4 + b"}" + call(sg("os", "system"), s(TOUCH)) + i(1) + b"s."
    yield "after-a-good-array", P4 + b"(" + array(U1, t(i(2)), b(b"ab")) + call(sg("os", "system"), s(TOUCH)) + b"t."
    yield "nt-rename-of-old-protocols", b"\x80\x02" + g("__builtin__", "eval") + t(s(OPEN)) + b"R."
    for module, name, args in [
        ("builtins", "eval", [OPEN]),
        ("builtins", "exec", [OPEN]),
        ("builtins", "open", ["marker", "w"]),
        ("subprocess", "check_output", [["touch", "marker"]]),
        ("subprocess", "Popen", [["touch", "marker"]]),
        ("subprocess", "getoutput", [TOUCH]),
        ("timeit", "timeit", ["pass", OPEN]),
        ("timeit", "repeat", ["pass", OPEN]),
        ("runpy", "_run_code", [OPEN, {}]),
        ("cProfile", "run", [OPEN, "out"]),
        ("cProfile", "runctx", [OPEN, {}, {}, "out"]),
        ("profile", "run", [OPEN, "out"]),
        ("pip", "main", [["config", "debug", "--log", "marker"]]),
        ("pip._internal.cli.main", "main", [["config", "debug", "--log", "marker"]]),
        ("logging", "FileHandler", ["marker"]),
        ("distutils.file_util", "write_file", ["marker", ["x"]]),
        ("shelve", "open", ["marker"]),
        ("dbm.dumb", "open", ["marker", "c"]),
        ("sqlite3", "connect", ["marker"]),
        ("zipfile", "ZipFile", ["marker", "w"]),
        ("tarfile", "TarFile", ["marker", "w"]),
        ("numpy", "savetxt", ["marker", [1]]),
        ("numpy.testing", "runstring", [OPEN, {}]),
        ("numpy.testing._private.utils", "runstring", [OPEN, {}]),
        ("numpy.f2py.crackfortran", "myeval", ["__import__('os').system('" + TOUCH + "')", {}, {}]),
    ]:
        effect = "any_file" if module in ("shelve", "dbm.dumb") else "marker"
        yield module + "." + name, P4 + call(sg(module, name), *map(pickled, args)) + b".", effect
    # bdb and code have no function: an instance is made, then a method is called by a dotted name.
    yield "bdb.Bdb.run", P4 + call(sg("bdb", "Bdb.run"), call(sg("bdb", "Bdb")), s(OPEN)) + b"."
    yield "code.InteractiveInterpreter.runsource", P4 + call(
        sg("code", "InteractiveInterpreter.runsource"), call(sg("code", "InteractiveInterpreter")), s(OPEN)
    ) + b"."
    yield "asyncio-transport", P4 + call(
        sg("asyncio.unix_events", "_UnixSubprocessTransport._start"), pickled({}), s(TOUCH), b"\x88", b"N", b"N", b"N", i(0)
    ) + b".", "raises"
    yield "operator-methodcaller", P4 + call(call(sg("operator", "methodcaller"), s("system"), s(TOUCH)), call(sg("importlib", "import_module"), s("os"))) + b"."
    yield "functools-partial", P4 + call(call(sg("functools", "partial"), sg("os", "system"), s(TOUCH))) + b"."
    yield "list-of-map", P4 + call(sg("builtins", "list"), call(sg("builtins", "map"), sg("os", "system"), pickled([TOUCH]))) + b"."


def opcodes():
    """Opcodes that make objects without REDUCE."""
    yield "inst", b"(S'touch marker'\nios\nsystem\n."
    yield "obj", b"(cos\nsystem\nS'touch marker'\no."
    consumer = call(sg("builtins", "map"), sg("os", "system"), pickled([TOUCH]))
    yield "newobj", P4 + sg("builtins", "bytes") + t(consumer) + b"\x81."
    yield "newobj-ex", P4 + sg("builtins", "bytes") + t(consumer) + b"}\x92."
    yield "ext1", b"\x80\x02\x82\x7f" + t(s(TOUCH)) + b"R."
    yield "ext2", b"\x80\x02\x83\x7f\x00" + t(s(TOUCH)) + b"R."
    yield "ext4", b"\x80\x02\x84\x7f\x00\x00\x00" + t(s(TOUCH)) + b"R."
    yield "persid", b"Ptouch marker\n."
    yield "binpersid", s(TOUCH) + b"Q."
    yield "build-setstate", P4 + call(sg("types", "SimpleNamespace")) + b"}" + s("__setstate__") + sg("os", "system") + b"sb" + s(TOUCH) + b"b."
    yield "build-on-ordereddict", P4 + ORDERED + b"}" + s("marker") + i(1) + b"sb.", "has_attribute"
    yield "build-setstate-on-ordereddict", (
        P4 + ORDERED + b"}" + s("__setstate__") + sg("os", "system") + b"sb" + s(TOUCH) + b"b."
    )
    yield "build-on-a-function", P4 + FROMBUFFER + t(b"N", b"}" + s("__defaults__") + t(i(7)) + b"s") + b"b.", "function_changed"
    yield "build-with-two-states", P4 + ORDERED + t(b"N", b"}" + s("x") + i(1) + b"s") + b"b.", "has_attribute"
    yield "append-calls-a-method", P4 + call(sg("collections", "deque")) + i(1) + b"a.", "is_deque"
    yield "append-to-a-bytearray", b"\x80\x05\x96" + struct.pack("<Q", 3) + b"abc" + i(1) + b"a.", "is_longer"
    yield "setitem-on-an-array", P4 + array(U1, t(i(2)), b(b"ab")) + i(0) + i(9) + b"s.", "array_written"


def names():
    """Names that are not what they look like."""
    yield "dotted", P4 + call(sg("numpy", "testing._private.utils.runstring"), s(OPEN), b"}") + b"."
    yield "dotted-method", P4 + call(sg("numpy", "ndarray.tofile"), array(U1, t(i(2)), b(b"ab")), s("marker")) + b"."
    yield "numpy-leaks-builtins", P4 + call(
        call(sg("numpy", "__builtins__.get"), s("eval")), s(OPEN)
    ) + b"."
    yield "computed", P4 + call(sg("_codecs", "decode"), b(b"os"), s("utf8")) + s("system") + b"\x93" + t(s(TOUCH)) + b"R."
    yield "computed-name", P4 + s("os") + call(sg("_codecs", "decode"), b(b"system"), s("utf8")) + b"\x93" + t(s(TOUCH)) + b"R."
    yield "getattr", P4 + call(call(sg("builtins", "getattr"), call(sg("importlib", "import_module"), s("os")), s("system")), s(TOUCH)) + b"."
    yield "memo-overwritten", P4 + s("numpy") + b"q\x000" + s("os") + b"q\x000" + b"h\x00" + s("system") + b"\x93" + t(s(TOUCH)) + b"R."
    yield "memo-overwritten-by-long-put", P4 + s("collections") + b"\x94" + b"0" + s("os") + b"r\x00\x00\x00\x000" + b"h\x00" + s("system") + b"\x93" + t(s(TOUCH)) + b"R."
    yield "memo-overwritten-codec", P4 + b"(" + s("latin1") + b"q\x00" + s("rot13") + b"q\x00" + call(sg("_codecs", "encode"), s("x"), b"h\x00") + b"t.", "imports:encodings.rot_13"
    yield "dropped-before-use", P4 + s("os") + s("collections") + b"0" + s("system") + b"\x93" + t(s(TOUCH)) + b"R."
    yield "escaped-names", b"Vo\\u0073\nV\\u0073ystem\n\x93(Vtouch marker\ntR."
    yield "global-with-a-space", g("numpy", "ndarray ") + b".", "raises"
    yield "global-with-a-return", g("numpy\r", "ndarray") + b".", "raises"
    yield "import-only", P4 + sg("this", "s") + b".", "imports:this"
    yield "codec-of-choice", P4 + call(sg("_codecs", "encode"), s("x"), s("rot13")) + b".", "imports:encodings.rot_13"
    yield "codec-of-an-object", P4 + call(sg("_codecs", "encode"), array(U1, t(i(2)), b(b"ab")), s("hex")) + b".", "imports:encodings.hex_codec"


def nesting():
    """Pickles inside of values."""
    inner = call(g("os", "system"), s(TOUCH)) + b"."
    yield "pickle-loads", P4 + call(sg("pickle", "loads"), b(inner)) + b"."
    yield "pickle-loads-of-c", P4 + call(sg("_pickle", "loads"), b(inner)) + b"."
    npy = io.BytesIO()
    np.lib.format.write_array_header_1_0(npy, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    yield "numpy-read-array", P4 + call(
        sg("numpy.lib.format", "read_array"), call(sg("io", "BytesIO"), pickle.dumps(npy.getvalue() + inner, 4)[2:-1].replace(b"\x94", b"")), b"\x88"
    ) + b"."
    yield "second-pickle", P4 + i(1) + b"." + inner, "second"
    yield "second-pickle-in-the-frame", P4 + b"\x95" + struct.pack("<Q", 6 + len(inner)) + i(1) + b"." + inner, "second"


def memory():
    """Dtypes, arrays and references whose numbers lie."""
    yield "field-outside", P4 + array(
        dtype("V8", state(names=t(s("a")), fields=fields(("a", F8, 1 << 20)), size=8, align=1, flags=16)), t(i(1)), b(bytes(8))
    ) + b".", "outside"
    yield "field-outside-by-a-later-change", (
        P4
        + b"(}\x94" + s("a") + t(F8, i(0)) + b"s"
        + dtype("V8", t(i(3), s("|"), b"N", t(s("a")), b"h\x00", i(8), i(1), i(16))) + b"\x94"
        + b"h\x00" + s("a") + t(F8, i(1 << 20)) + b"s"
        + array(b"h\x01", t(i(1)), b(bytes(8))) + b"t."
    ), "outside"
    yield "fields-without-their-names", P4 + dtype("V8", state(names=t(s("b")), fields=fields(("a", F8, 0)), size=8, align=1, flags=16)) + b".", "names_lie"
    yield "size-that-lies", P4 + array(dtype("V8", state(size=1 << 20, align=1)), t(i(1)), b(bytes(8))) + b".", "raises"
    yield "size-that-lies-scalar", P4 + call(SCALAR, dtype("V8", state(size=4, align=1)), b(bytes(4))) + b".", "odd_size"
    yield "alignment-of-zero", P4 + dtype("V8", state(size=8, align=0)) + b".", "odd_alignment"
    yield "subarray-that-lies", P4 + dtype("V8", state(sub=t(F8, t(i(1 << 20))), size=8, align=1)) + b".", "subarray_lies"
    yield "objects-from-bytes", P4 + array(dtype("O", state(flags=0)), t(i(1)), b(b"\x41" * 8)) + b".", "forged"
    yield "objects-in-a-field", P4 + array(
        dtype("V8", state(names=t(s("a")), fields=fields(("a", dtype("O"), 0)), size=8, align=1, flags=16)), t(i(1)), b(b"\x41" * 8)
    ) + b".", "forged"
    yield "objects-honest", P4 + array(dtype("O", state(flags=63)), t(i(1)), b"]Na") + b".", "loads"
    yield "dtype-built-twice", P4 + dtype("V8", state(size=8, align=1)) + state(size=4, align=1) + b"b.", "odd_size"
    yield "dtype-changes-its-fields", (
        P4 + dtype("V8", state(names=t(s("a")), fields=fields(("a", F8, 0)), size=8, align=1, flags=16))
        + state(names=t(s("b")), fields=fields(("b", F8, 0)), size=8, align=1, flags=16) + b"b."
    ), "changed_fields"
    yield "flag-of-python-missing", P4 + dtype("V8", state(names=t(s("a")), fields=fields(("a", F8, 0)), size=8, align=1)) + b".", "without_flags"
    yield "huge-array", P4 + call(NDARRAY, t(i(1 << 28)), s("u1")) + b".", "huge"
    yield "huge-reconstruct", P4 + call(RECONSTRUCT, NDARRAY, t(i(1 << 28)), b(b"b")) + b".", "huge"
    yield "uninitialised-array", P4 + call(NDARRAY, t(i(64)), s("u1")) + b".", "loads"
    yield "array-beyond-its-buffer", P4 + call(NDARRAY, t(i(64)), s("u1"), b(b"abc")) + b".", "raises"
    yield "array-with-strides", P4 + call(NDARRAY, t(i(1 << 20), i(1 << 20)), s("u1"), b(b"abc"), i(0), t(i(0), i(0))) + b".", "huge"
    for name, double in (("laughs", b"](h%ch%ce\x94"), ("laughs-of-tuples", b"h%ch%c\x86\x94"), ("laughs-of-dicts", b"}(K\x00h%cK\x01h%cu\x94")):
        yield name, P4 + b"()\x94" + b"".join(double % (n, n) for n in range(60)) + b"t.", "explodes"
    yield "deep-lists", P4 + b"]" * 3000 + b"a" * 2999 + b".", "loads"
    yield "deep-tuples", P4 + b")" + b"\x85" * 5000 + b".", "loads"
    yield "cycle", P4 + b"]\x94h\x00a.", "loads"
    yield "long-memo-index", b"\x80\x02]r\xff\xff\x3f\x00.", "memory_grows"


def malformed():
    """Lengths and frames that lie, and what readers do not know."""
    def frame(n):
        return P4 + b"\x95" + struct.pack("<Q", n)

    yield "frame-too-long", frame(100) + i(1) + b".", "raises"
    yield "frame-of-2-to-63", frame(1 << 63) + i(1) + b".", "raises"
    yield "frame-of-all-ones", frame((1 << 64) - 1) + i(1) + b".", "raises"
    yield "frame-cut-through", frame(3) + i(1) + b".", "python_raises"
    yield "frame-in-a-frame", frame(20) + b"\x95" + struct.pack("<Q", 6) + i(1) + b".", "python_raises"
    for n, size in (("2-to-63", 1 << 63), ("all-ones", (1 << 64) - 1), ("2-to-40", 1 << 40)):
        yield "bytes-of-" + n, P4 + b"\x8e" + struct.pack("<Q", size) + b"abc.", "raises"
        yield "text-of-" + n, P4 + b"\x8d" + struct.pack("<Q", size) + b"abc.", "raises"
        yield "bytearray-of-" + n, b"\x80\x05\x96" + struct.pack("<Q", size) + b"abc.", "raises"
    yield "bytes-of-4-gib", b"\x80\x03B" + struct.pack("<I", (1 << 32) - 1) + b"abc.", "raises"
    yield "string-below-zero", b"T" + struct.pack("<i", -1) + b".", "raises"
    yield "long-below-zero", b"\x80\x02\x8b" + struct.pack("<i", -5) + b".", "raises"
    yield "truncated", pickle.dumps(list(range(8)), 4)[:-3], "raises"
    yield "without-stop", P4 + i(1), "raises"
    yield "nothing", b"", "raises"
    yield "stop-only", b".", "raises"
    yield "two-values-left", P4 + i(1) + i(2) + b".", "loads"
    yield "unknown-opcode", P4 + b"\xff.", "raises"
    yield "protocol-6", b"\x80\x06" + i(1) + b".", "raises"
    yield "protocol-late", i(1) + b"\x80\x04.", "loads"
    yield "no-mark", b"t.", "raises"
    yield "below-the-mark", P4 + i(1) + b"(a.", "raises"
    yield "unset-memo", b"h\x05.", "raises"
    yield "not-utf-8", P4 + b"\x8c\x01\xff.", "raises"
    yield "octal", b"I0777\n.", "loads"
    yield "next-buffer", b"\x80\x05\x97.", "raises"


def corpus():
    for family in (execution, opcodes, names, nesting, memory, malformed):
        for name, data, *effect in family():
            yield name, effect[0] if effect else "marker", data


# What the effects are, given what was loaded.


def any_file(value):
    return any(os.scandir("."))


def has_attribute(value):
    return isinstance(value, collections.OrderedDict) and vars(value)


def function_changed(value):
    return value.__defaults__ == (7,)


def is_deque(value):
    return list(value) == [1]


def is_longer(value):
    return value == b"abc\x01"


def changed_fields(value):
    return value.names == ("b",)


def without_flags(value):
    return value.names == ("a",) and value.flags == 0


def array_written(value):
    return value[0] == 9


def outside(value):
    value = value[-1] if isinstance(value, tuple) else value
    return value["a"].__array_interface__["data"][0] >= value.__array_interface__["data"][0] + value.nbytes


def odd_size(value):
    return getattr(value, "dtype", value).itemsize == 4


def odd_alignment(value):
    return value.alignment == 0


def names_lie(value):
    return "b" in value.names and "b" not in value.fields


def subarray_lies(value):
    return value.base.itemsize * (1 << 20) > value.itemsize


def forged(value):
    # The bytes of the pickle are taken for addresses of objects: nothing may look at them, and the array is never freed.
    kind = value.dtype["a"] if value.dtype.names else value.dtype
    return kind == object and ctypes.string_at(value.__array_interface__["data"][0], 8) == b"\x41" * 8


def huge(value):
    return value.nbytes >= 1 << 28 or value.size >= 1 << 28


def loads(value):
    return True


def explodes(value):
    sizes = {}

    def size(v):
        if id(v) not in sizes:
            sizes[id(v)] = 1 + sum(map(size, v.values() if isinstance(v, dict) else v))
        return sizes[id(v)]

    return size(value) > 1 << 60


def memory_grows(value):
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 30 << 10  # KiB


def show(report, name, effect, data):
    """Runs in a process of its own, which ends without freeing what it loaded."""
    copyreg.add_extension("os", "system", 0x7F)
    class Reader(pickle.Unpickler):
        def persistent_load(self, command):
            return os.system(command)

    stream = io.BytesIO(data)
    reader = Reader(stream)
    try:
        if effect == "python_raises":
            value = pickle._loads(data)
        elif effect == "second":
            reader.load()
            value = Reader(io.BytesIO(data[data.index(b".") + 1 :])).load()
        else:
            value = reader.load()
        error = None
    except BaseException as e:
        value, error = None, e
    if effect in ("marker", "second"):
        ok = os.path.exists("marker")
        for _ in range(100):  # what Popen began may still be on its way
            if not ok:
                time.sleep(0.02)
                ok = os.path.exists("marker")
    elif effect in ("raises", "python_raises"):
        ok = error is not None
    elif effect.startswith("imports:"):
        ok = effect[8:] in sys.modules
    else:
        ok = error is None and globals()[effect](value)
    if not ok:
        print("not shown:", name, effect, error, file=report, flush=True)
    os._exit(0 if ok else 1)


def prove():
    failed = shown = 0
    for name, effect, data in corpus():
        with tempfile.TemporaryDirectory() as folder:
            # What the pickle begins has the pipe for its output: the pipe's end is the end of them all, and only then
            # can the folder go.
            said, output = os.pipe()
            child = os.fork()
            if child == 0:
                os.chdir(folder)
                report = os.fdopen(os.dup(1), "w")
                for standard in (1, 2):
                    os.dup2(output, standard)
                os.close(output)
                show(report, name, effect, data)
            os.close(output)
            while os.read(said, 1 << 16):
                pass
            os.close(said)
            _, status = os.waitpid(child, 0)
            if status != 0:
                failed += 1
                print("failed:", name, effect, status, flush=True)
            shown += 1
    print("shown", shown - failed)
    sys.exit(failed > 0)


if __name__ == "__main__":
    if sys.argv[1] == "prove":
        prove()
    for name, effect, data in corpus():
        print(name, effect, data.hex() or "-")
