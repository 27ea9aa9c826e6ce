import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisPubSub;
import redis.clients.jedis.Pipeline;
import redis.clients.jedis.RedisProtocol;
import redis.clients.jedis.StreamEntryID;
import redis.clients.jedis.Transaction;

/** Prints a line for each answer, with sums in place of long ones, errors by their text. */
public class Compat {
  private static final String SCRIPT = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}";

  private static void tell(String name, Object value) throws Exception {
    System.out.println(name + " " + plain(value));
  }

  private static void attempt(String name, Callable<Object> call) throws Exception {
    try {
      tell(name, call.call());
    } catch (RuntimeException error) {
      tell(name, error.getClass().getSimpleName() + ": " + error.getMessage());
    }
  }

  private static String plain(Object value) throws Exception {
    if (value instanceof byte[] bytes) {
      byte[] sum = MessageDigest.getInstance("SHA-256").digest(bytes);
      return bytes.length + " bytes, sha256 " + HexFormat.of().formatHex(sum);
    }
    if (value instanceof Map<?, ?> map) {
      return new TreeMap<>(map).toString();
    }
    if (value instanceof List<?> list) {
      List<String> parts = new ArrayList<>();
      for (Object part : list) {
        parts.add(plain(part));
      }
      return parts.toString();
    }
    return String.valueOf(value);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  public static void main(String[] args) throws Exception {
    HostAndPort at = new HostAndPort(args[0], Integer.parseInt(args[1]));
    DefaultJedisClientConfig config = DefaultJedisClientConfig.builder()
        .user("trainer").password("secret").database(1).clientName("compat")
        .protocol(args[2].equals("3") ? RedisProtocol.RESP3 : RedisProtocol.RESP2)
        .build();
    try (Jedis client = new Jedis(at, config); Jedis other = new Jedis(at, config)) {
      values(client);
      batches(client, other);
      waits(client, other);
      attempt("flush", client::flushDB);
    }
    tell("end", "closed");
    System.exit(0);
  }

  private static void values(Jedis client) throws Exception {
    attempt("ping", client::ping);
    attempt("name", client::clientGetname);
    attempt("routed get", () -> client.get(bytes("digits:test:0")));
    attempt("routed mget", () -> client.mget(
        bytes("digits:test:0"), bytes("digits:test:1"), bytes("digits:test:359"), bytes("digits:test:360")));
    attempt("routed strlen", () -> client.strlen("digits:test:2"));
    attempt("set", () -> client.set("text", "grüße"));
    attempt("get", () -> client.get("text"));
    attempt("hset", () -> client.hset("h", Map.of("a", "1", "b", "2")));
    attempt("hash", () -> client.hgetAll("h"));
    attempt("zset", () -> client.zadd("z", Map.of("a", 1.5, "b", 2.0)));
    attempt("scores", () -> client.zrangeWithScores("z", 0, -1));
    attempt("stream", () -> client.xadd("x", new StreamEntryID(1, 1), Map.of("f", "v")));
    attempt("range", () -> client.xrange("x", "-", "+"));
    attempt("wrong type", () -> client.incr("h"));
    attempt("eval", () -> client.eval(SCRIPT, List.of("s"), List.of("a")));
    attempt("evalsha", () -> client.evalsha(client.scriptLoad(SCRIPT), List.of("s"), List.of("b")));
    byte[] large = new byte[1 << 20];
    Arrays.fill(large, (byte) 'x');
    attempt("large set", () -> client.set(bytes("large"), large));
    attempt("large get", () -> client.get(bytes("large")));
  }

  private static void batches(Jedis client, Jedis other) throws Exception {
    attempt("pipeline", () -> {
      Pipeline pipeline = client.pipelined();
      pipeline.set("n", "1");
      pipeline.incr("n");
      pipeline.get(bytes("digits:test:3"));
      pipeline.get("n");
      pipeline.del("n");
      return pipeline.syncAndReturnAll();
    });
    attempt("multi", () -> {
      Transaction multi = client.multi();
      multi.set("m", "5");
      multi.incr("m");
      multi.get("m");
      multi.get(bytes("digits:test:4"));
      return multi.exec();
    });
    attempt("watch", () -> {
      other.watch("m");
      client.set("m", "changed");
      Transaction multi = other.multi();
      multi.get("m");
      return multi.exec();
    });
  }

  private static void waits(Jedis client, Jedis other) throws Exception {
    FutureTask<Object> popped = new FutureTask<>(() -> other.blpop(5, "list"));
    new Thread(popped).start();
    attempt("push", () -> client.rpush("list", "item"));
    attempt("popped", popped::get);
    attempt("pop nothing", () -> other.blpop(0.05, "list"));
    List<String> heard = new ArrayList<>();
    CountDownLatch subscribed = new CountDownLatch(1);
    Thread listener = new Thread(() -> other.subscribe(new JedisPubSub() {
      @Override
      public void onSubscribe(String channel, int count) {
        heard.add("subscribed to " + channel + ", " + count);
        subscribed.countDown();
      }

      @Override
      public void onMessage(String channel, String message) {
        heard.add(channel + ": " + message);
        unsubscribe();
      }
    }, "news"));
    listener.start();
    subscribed.await();
    attempt("publish", () -> client.publish("news", "hello"));
    listener.join();
    tell("message", heard);
    attempt("usable again", () -> other.get("text"));
  }
}
