import { RESP_TYPES, createClient } from "redis";
import { attempt, digits, host, large, port, protocol, script, tell } from "./told.mjs";

const client = createClient({
  url: `redis://trainer:secret@${host}:${port}/1`,
  RESP: Number(protocol),
  name: "compat",
  socket: { reconnectStrategy: false },
});
await client.connect();
const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

await attempt("ping", () => client.ping());
await attempt("name", () => client.clientGetName());
await attempt("routed get", () => binary.get(digits[0]));
await attempt("routed mget", () => binary.mGet(digits));
await attempt("routed strlen", () => client.strLen("digits:test:2"));
await attempt("set", () => client.set("text", "grüße"));
await attempt("get", () => client.get("text"));
await attempt("mget", () => client.mGet(["text", "none", digits[1]]).then((v) => v.map((x) => x?.length)));
await attempt("pipeline", () =>
  Promise.all([client.set("n", "1"), client.incr("n"), binary.get("digits:test:3"), client.get("n"), client.del("n")]));
await attempt("multi", () => client.multi().set("m", "5").incr("m").get("m").hSet("h", { a: "1", b: "2" }).exec());
await attempt("hash", () => client.hGetAll("h"));
await attempt("zset", () => client.zAdd("z", [{ value: "a", score: 1.5 }, { value: "b", score: 2 }]));
await attempt("scores", () => client.zRangeWithScores("z", 0, -1));
await attempt("stream", () => client.xAdd("x", "1-1", { f: "v" }));
await attempt("range", () => client.xRange("x", "-", "+"));
await attempt("wrong type", () => client.incr("h"));
await attempt("unknown", () => client.sendCommand(["NOSUCH", "a"]));
await attempt("eval", () => client.eval(script, { keys: ["s"], arguments: ["a"] }));
await attempt("load", () => client.scriptLoad(script));
await attempt("evalsha", async () => client.evalSha(await client.scriptLoad(script), { keys: ["s"], arguments: ["b"] }));
await attempt("large set", () => client.set("large", large));
await attempt("large get", () => binary.get("large"));

const other = await client.duplicate().connect();
await attempt("watch", async () => {
  await other.watch("m");
  await client.set("m", "changed");
  return other.multi().get("m").exec();
});
const popped = other.blPop("list", 5);
await attempt("push", () => client.rPush("list", "item"));
await attempt("popped", () => popped);
await attempt("pop nothing", () => other.blPop("list", 0.05));

let heard;
const message = new Promise((resolve) => (heard = resolve));
await other.subscribe("news", (text, channel) => heard([channel, text]));
await attempt("publish", () => client.publish("news", "hello"));
await attempt("message", () => message);
await attempt("unsubscribe", () => other.unsubscribe("news"));
await attempt("published to nobody", () => client.publish("news", "again"));
await attempt("flush", () => client.flushDb());
other.destroy();
await client.close();
tell("end", "closed");
