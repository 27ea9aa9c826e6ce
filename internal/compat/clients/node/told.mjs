// What both programs print: a line for each answer, with sums in place of long ones, errors by their text.
import { createHash } from "node:crypto";

const plain = (value) => {
  if (Buffer.isBuffer(value) || (typeof value === "string" && value.length > 64)) {
    return `${value.length} bytes, sha256 ${createHash("sha256").update(value).digest("hex")}`;
  }
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Map) return [...value].map(([k, v]) => [plain(k), plain(v)]);
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object") return Object.entries(value).map(([k, v]) => [k, plain(v)]);
  return value;
};

export const tell = (name, value) => console.log(name, JSON.stringify(plain(value)));

export const attempt = async (name, call) => {
  try {
    tell(name, await call());
  } catch (error) {
    tell(name, error);
  }
};

export const [host, port, protocol] = process.argv.slice(2);
export const large = Buffer.alloc(1 << 20, "0123456789abcdef");
export const script = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}";
export const digits = ["digits:test:0", "digits:test:1", "digits:test:359", "digits:test:360"];
