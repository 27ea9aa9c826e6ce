"""Cache-aside: what a trainer carries with it where Redis and Cassandra are two servers. GUIDE.md shows it."""

import redis
from cassandra.cluster import Cluster
from cassandra.concurrent import execute_concurrent_with_args

TTL = 3600


class Samples:
    def __init__(self, redis_url, hosts, port, keyspace):
        self.cache = redis.Redis.from_url(redis_url)
        self.cluster = Cluster(hosts, port=port)
        self.session = self.cluster.connect(keyspace)
        self.select = self.session.prepare(
            "SELECT data FROM samples WHERE dataset = 'digits' AND split = ? AND shard = ? AND idx = ?"
        )

    def get(self, split, indices):
        keys = [f"digits:{split}:{i}" for i in indices]
        values = self.cache.mget(keys)  # 1
        missing = [n for n, value in enumerate(values) if value is None]
        if not missing:
            return values
        wanted = [(split, indices[n] // 1024, indices[n]) for n in missing]
        results = execute_concurrent_with_args(self.session, self.select, wanted, concurrency=64)  # 2
        fill = self.cache.pipeline(transaction=False)
        for n, (_, rows) in zip(missing, results):
            row = rows.one()
            if row is not None:
                values[n] = row.data
                fill.set(keys[n], row.data, ex=TTL)  # 3
        fill.execute()
        return values

    def close(self):
        self.cluster.shutdown()
        self.cache.close()
