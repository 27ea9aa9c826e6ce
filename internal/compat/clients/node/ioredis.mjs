import { Redis } from "ioredis";
import { attempt, digits, host, large, port, protocol, script, tell } from "./told.mjs";

const client = new Redis({
  host,
  port: Number(port),
  username: "trainer",
  password: "secret",
  db: 1,
  protocol: Number(protocol),
  connectionName: "compat",
  retryStrategy: null,
  maxRetriesPerRequest: 0,
});

await attempt("ping", () => client.ping());
await attempt("name", () => client.client("GETNAME"));
await attempt("routed get", () => client.getBuffer(digits[0]));
await attempt("routed mget", () => client.mgetBuffer(digits));
await attempt("routed strlen", () => client.strlen("digits:test:2"));
await attempt("set", () => client.set("text", "grüße"));
await attempt("get", () => client.get("text"));
await attempt("pipeline", () =>
  client.pipeline().set("n", "1").incr("n").getBuffer("digits:test:3").get("n").incr("text").del("n").exec());
await attempt("multi", () => client.multi().set("m", "5").incr("m").get("m").hset("h", { a: "1", b: "2" }).exec());
await attempt("multi, one by one", async () => {
  await client.multi({ pipeline: false });
  await client.set("m", "7");
  await client.getBuffer("digits:test:4");
  return client.exec();
});
await attempt("hash", () => client.hgetall("h"));
await attempt("zset", () => client.zadd("z", 1.5, "a", 2, "b"));
await attempt("scores", () => client.zrange("z", 0, -1, "WITHSCORES"));
await attempt("stream", () => client.xadd("x", "1-1", "f", "v"));
await attempt("range", () => client.xrange("x", "-", "+"));
await attempt("wrong type", () => client.incr("h"));
await attempt("unknown", () => client.call("NOSUCH", "a"));
await attempt("eval", () => client.eval(script, 1, "s", "a"));
client.defineCommand("again", { numberOfKeys: 1, lua: script });
await attempt("evalsha", () => client.again("s", "b"));
await attempt("large set", () => client.set("large", large));
await attempt("large get", () => client.getBuffer("large"));
await attempt("scan", async () => {
  const keys = [];
  for await (const found of client.scanStream({ match: "t*", count: 100 })) keys.push(...found);
  return keys;
});

const other = client.duplicate();
await attempt("watch", async () => {
  await other.watch("m");
  await client.set("m", "changed");
  return other.multi().get("m").exec();
});
const popped = other.blpop("list", 5);
await attempt("push", () => client.rpush("list", "item"));
await attempt("popped", () => popped);
await attempt("pop nothing", () => other.blpop("list", 0.05));

const message = new Promise((resolve) => other.on("message", (channel, text) => resolve([channel, text])));
await attempt("subscribe", () => other.subscribe("news"));
await attempt("publish", () => client.publish("news", "hello"));
await attempt("message", () => message);
await attempt("unsubscribe", () => other.unsubscribe("news"));
await attempt("usable again", () => other.get("text"));
await attempt("published to nobody", () => client.publish("news", "again"));
await attempt("flush", () => client.flushdb());
other.disconnect();
await attempt("quit", () => client.quit());
tell("end", "closed");
