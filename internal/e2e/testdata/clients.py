"""What a program does with redis-py, against Forebay, by URL alone: python clients.py URL PROTOCOL.

Every value is asserted. It prints one line at the end.
"""

import pickle
import sys
import threading

import redis

URL, PROTOCOL = sys.argv[1], int(sys.argv[2])
checks = 0


def same(got, want):
    global checks
    checks += 1
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


def client(db=0, **query):
    query["protocol"] = PROTOCOL
    return redis.Redis.from_url(f"{URL}/{db}?" + "&".join(f"{k}={v}" for k, v in query.items()))


def sample(value):
    got = pickle.loads(value)
    same(got["image"].shape, (8, 8))
    same(str(got["image"].dtype), "uint8")
    return got["label"]


def reads(r):
    first = r.get("digits:test:0")
    label = sample(first)
    same(label in range(10), True)
    same(r.get("digits:test:0"), first)
    same(r.get("digits:test:360"), None)
    same(r.get("digits:test:007"), None)
    same(r.get("unrouted"), None)
    r.set("unrouted", b"\x00\xff\r\n")
    one, two, absent, mine = r.mget("digits:test:1", "digits:test:0", "digits:test:9999", "unrouted")
    sample(one)
    same([two, absent, mine], [first, None, b"\x00\xff\r\n"])
    same(r.mget([f"digits:test:{i}" for i in range(0, 3)])[:2], [first, one])
    same(r.strlen("digits:test:3"), len(r.get("digits:test:3")))
    same(r.getrange("digits:test:4", 0, 1), b"\x80\x05")
    same(0 < r.pttl("digits:test:4") <= 3_600_000, True)


def writes(r):
    sample(r.getex("digits:test:5", ex=100))
    same(90 <= r.ttl("digits:test:5") <= 100, True)
    sample(r.getdel("digits:test:6"))
    same(r.exists("digits:test:6"), 0)
    sample(r.getdel("digits:test:5"))
    same(r.exists("digits:test:5"), 0)
    length = len(r.get("digits:test:7")) + 4
    same(r.append("digits:test:7", "more"), length)
    whole = r.get("digits:test:7")
    same((len(whole), whole[-4:]), (length, b"more"))
    sample(whole[:-4])
    same(r.set("digits:test:7", "mine"), True)
    same(r.get("digits:test:7"), b"mine")
    same(r.delete("digits:test:7"), 1)
    sample(r.get("digits:test:7"))
    same(r.incr("n"), 1)
    same(r.hset("h", mapping={"a": 1, "b": 2}), 2)
    same(r.hgetall("h"), {b"a": b"1", b"b": b"2"})
    same(r.zadd("z", {"a": 1.5}), 1)
    same([tuple(pair) for pair in r.zrange("z", 0, -1, withscores=True)], [(b"a", 1.5)])
    same(sorted(r.scan_iter("[hnz]")), [b"h", b"n", b"z"])
    try:
        r.lpush("n", 1)
    except redis.ResponseError as error:
        same(str(error), "WRONGTYPE Operation against a key holding the wrong kind of value")
    else:
        raise AssertionError("LPUSH of a string")


def pipelines(r):
    for transaction in (False, True):
        key, other = ("digits:test:20", "digits:test:21") if transaction else ("digits:test:22", "digits:test:23")
        p = r.pipeline(transaction=transaction)
        p.set("p", 1).get(key).incr("p").mget(key, other, "p").get("digits:test:360").strlen(other).get("p")
        ok, first, two, (again, second, three), absent, length, last = p.execute()
        sample(first), sample(second)
        same([ok, two, again, three, absent, last], [True, 2, first, b"2", None, b"2"])
        same(length, len(second))
    p = r.pipeline(transaction=True)
    p.get("h").get("digits:test:24")
    error, value = p.execute(raise_on_error=False)
    same(isinstance(error, redis.ResponseError), True)
    sample(value)
    same(r.transaction(lambda p: (p.get("p"), p.multi(), p.incrby("p", 5)), "p"), [7])
    try:
        with r.pipeline() as p:
            p.watch("p")
            r.set("p", 0)
            p.multi()
            p.incr("p")
            p.execute()
    except redis.WatchError:
        same(r.get("p"), b"0")
    else:
        raise AssertionError("EXEC after a watched key was written")


def messages(r):
    with r.pubsub() as s:
        s.subscribe("news")
        s.psubscribe("new*")
        same([s.get_message(timeout=5)["type"] for _ in range(2)], ["subscribe", "psubscribe"])
        same(r.publish("news", "hello"), 2)
        got = [s.get_message(timeout=5) for _ in range(2)]
        same([(m["type"], m["channel"], m["data"]) for m in got], [("message", b"news", b"hello"), ("pmessage", b"news", b"hello")])
        s.unsubscribe("news")
        same(s.get_message(timeout=5)["type"], "unsubscribe")


def blocking(r):
    same(r.blpop("jobs", timeout=0.05), None)
    other = client()
    popped = []
    thread = threading.Thread(target=lambda: popped.append(other.blpop("jobs", timeout=5)))
    thread.start()
    r.rpush("jobs", "one")
    thread.join()
    same(popped, [(b"jobs", b"one")] if isinstance(popped[0], tuple) else [[b"jobs", b"one"]])
    other.close()


def scripts(r):
    value = r.get("digits:test:30")
    same(r.eval("return redis.call('GET', KEYS[1])", 1, "digits:test:30"), value)
    same(r.eval("return {ARGV[1], redis.call('GET', KEYS[1])}", 1, "unrouted", "x"), [b"x", b"\x00\xff\r\n"])
    r.script_flush()
    script = r.register_script("return redis.call('STRLEN', KEYS[1])")
    same(script(keys=["digits:test:30"]), len(value))
    same(script(keys=["absent"]), 0)


def locks(r):
    lock = r.lock("lock", timeout=10)
    same(lock.acquire(), True)
    same(r.lock("lock", timeout=10).acquire(blocking=False), False)
    same(lock.extend(5), True)
    lock.release()
    same(r.exists("lock"), 0)
    with r.lock("lock", timeout=10):
        same(r.exists("lock"), 1)


def connections(r):
    named = client(client_name="run-42")
    same(named.client_getname() in ("run-42", b"run-42"), True)
    same(int(named.client_info()["resp"]), PROTOCOL)
    named.close()
    elsewhere = client(db=1)
    same(elsewhere.get("digits:test:0"), None)
    elsewhere.set("here", 1)
    same(r.exists("here"), 0)
    elsewhere.flushdb()
    elsewhere.close()
    same(r.ping(), True)
    same(r.echo("x"), b"x")
    same(r.info("forebay")["forebay_source_up"], 1)


def main():
    r = client()
    r.flushdb()
    for check in (reads, writes, pipelines, messages, blocking, scripts, locks, connections):
        try:
            check(r)
        except Exception as error:
            error.add_note(f"in {check.__name__}")
            raise
    print(f"redis-py {redis.__version__} protocol {PROTOCOL}: {checks} checks")


main()
