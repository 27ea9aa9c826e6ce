"""One cold epoch as a trainer reads it: shuffled, in minibatches of 64, by several processes. Prints samples and seconds.

    epoch.py forebay|aside|best REDIS_PORT CASSANDRA KEYSPACE TOTAL SAMPLES PROCESSES SEED
    epoch.py get|select         …                    SAMPLES are single cold reads; prints the microseconds of the median and of 99 in 100

forebay: MGET, nothing else. aside: cache-aside for each sample, GET, SELECT, SETEX. best: its best form, MGET, concurrent SELECTs, SETEX in a pipeline.
"""
import multiprocessing
import random
import sys
import time

import redis
from cassandra.cluster import ExecutionProfile, Cluster, EXEC_PROFILE_DEFAULT
from cassandra.concurrent import execute_concurrent_with_args

ROW = "SELECT data FROM samples WHERE dataset = 'epoch' AND split = 'train' AND shard = ? AND idx = ?"
BATCH = 64


def key(i):
    return "epoch:train:%d" % i


def cassandra(address, keyspace):
    host, port = address.rsplit(":", 1)
    profile = ExecutionProfile(request_timeout=30)
    session = Cluster([host], port=int(port), execution_profiles={EXEC_PROFILE_DEFAULT: profile}).connect(keyspace)
    return session, session.prepare(ROW)


def aside(cache, session, row, batch):
    for i in batch:
        value = cache.get(key(i))
        if value is None:
            value = session.execute(row, (i // 1024, i)).one().data
            cache.setex(key(i), 3600, value)
        assert len(value) > 0


def best(cache, session, row, batch):
    values = cache.mget([key(i) for i in batch])
    missing = [i for i, value in zip(batch, values) if value is None]
    rows = execute_concurrent_with_args(session, row, [(i // 1024, i) for i in missing], concurrency=BATCH)
    pipe = cache.pipeline(transaction=False)
    for i, (ok, result) in zip(missing, rows):
        assert ok, result
        pipe.setex(key(i), 3600, result.one().data)
    pipe.execute()


def forebay(cache, session, row, batch):
    assert all(cache.mget([key(i) for i in batch]))


def work(mode, port, address, keyspace, samples, ready, start):
    cache = redis.Redis(port=port)
    session = row = None
    if mode in ("aside", "best"):
        session, row = cassandra(address, keyspace)
    cache.ping()
    ready.release()
    start.wait()
    step = {"aside": aside, "best": best, "forebay": forebay}[mode]
    for at in range(0, len(samples), BATCH):
        step(cache, session, row, samples[at:at + BATCH])


def epoch(mode, port, address, keyspace, samples, processes):
    context = multiprocessing.get_context("spawn")
    ready, start = context.Semaphore(0), context.Event()
    workers = [context.Process(target=work, args=(mode, port, address, keyspace, samples[n::processes], ready, start)) for n in range(processes)]
    for w in workers:
        w.start()
    for w in workers:
        ready.acquire()
    begun = time.perf_counter()
    start.set()
    for w in workers:
        w.join()
        assert w.exitcode == 0
    print(len(samples), time.perf_counter() - begun)


def single(mode, port, address, keyspace, samples):
    cache = redis.Redis(port=port)
    cache.ping()
    session, row = cassandra(address, keyspace)
    session.execute(row, (0, 0)).one()
    took = []
    for i in samples:
        begun = time.perf_counter()
        value = cache.get(key(i)) if mode == "get" else session.execute(row, (i // 1024, i)).one().data
        took.append(time.perf_counter() - begun)
        assert value
    took.sort()
    print(took[len(took) // 2] * 1e6, took[len(took) * 99 // 100] * 1e6)


if __name__ == "__main__":
    mode, port, address, keyspace, total, count, processes, seed = sys.argv[1:]
    order = list(range(int(total)))
    random.Random(int(seed)).shuffle(order)
    order = order[:int(count)]
    if mode in ("get", "select"):
        single(mode, int(port), address, keyspace, order)
    else:
        epoch(mode, int(port), address, keyspace, order, int(processes))
