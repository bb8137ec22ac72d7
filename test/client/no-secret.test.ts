import { Buffer } from "node:buffer";
import { beforeAll, expect, test } from "vitest";
import { createApp } from "../../dist/server/index.js";
import { createClient } from "../../src/client/index.ts";
import { readLimb, sampleTernary } from "../../src/math/index.ts";
import { createSecretKey } from "../../src/owner/index.ts";
import type { PlanManifest } from "../../src/plan/index.ts";
import { createByteWriter, createRlweContext, writePolynomial } from "../../src/rlwe/index.ts";
import { seededRandom } from "../helpers/random.ts";
import { startPool } from "../server/pool.ts";
import { INPUT, INPUT_SHAPE } from "../server/wire.ts";

/**
 * Everything that the client sends in a session, and everything that the server then tells its threads, is recorded and searched for the
 * client's secret key. The client's randomness is seeded here, so the same key can be drawn again.
 */
const STREAM = 77;
/** Bytes of the transformed key that are searched for: as many as do not occur by chance in a megabyte. */
const NEEDLE = 12;

const sent: Buffer[] = [];
const toThreads: Buffer[] = [];
let manifest: PlanManifest;

beforeAll(async () => {
  const pool = await startPool({}, (message) => {
    toThreads.push(
      ...bytesIn(message),
      Buffer.from(JSON.stringify(message, (_, value) => (ArrayBuffer.isView(value) ? "" : value))),
    );
  });
  const app = createApp({ compute: pool });
  const client = createClient({
    server: "http://server",
    random: seededRandom(STREAM),
    async fetch(request) {
      const copy = request.clone();
      sent.push(Buffer.from(`${request.method} ${request.url} ${JSON.stringify([...request.headers])}`));
      sent.push(Buffer.from(await copy.arrayBuffer()));
      return app.fetch(request);
    },
  });
  const session = await client.open("square", { inputShape: INPUT_SHAPE, rencryptPositions: [2] });
  manifest = session.manifest;
  await session.classify({ shape: INPUT_SHAPE, data: INPUT });
  await session.close();
  await app.close();
});

/** The bytes of all arrays in a message. */
function bytesIn(message: unknown): Buffer[] {
  if (typeof message !== "object" || message === null) return [];
  if (!ArrayBuffer.isView(message)) return Object.values(message).flatMap(bytesIn);
  return [Buffer.from(new Uint8Array(message.buffer, message.byteOffset, message.byteLength))];
}

function packed(values: ArrayLike<number>, bits: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil((values.length * bits) / 8));
  for (let i = 0; i < values.length; i++) {
    for (let bit = 0; bit < bits; bit++) {
      if ((values[i]! >> bit) & 1) bytes[(i * bits + bit) >> 3]! |= 1 << ((i * bits + bit) & 7);
    }
  }
  return bytes;
}

/** The secret's coefficients and transformed limbs, in all forms that code here could write them in. */
function formsOfSecret(): Map<string, Buffer> {
  const forms = new Map<string, Buffer>();
  const context = createRlweContext(manifest.parameters);
  const signs = sampleTernary(context.ring.degree, seededRandom(STREAM));
  forms.set("coefficients as int8", Buffer.from(Int8Array.from(signs).buffer));
  forms.set("coefficients as int16", Buffer.from(Int16Array.from(signs).buffer));
  forms.set("coefficients as int32", Buffer.from(Int32Array.from(signs).buffer));
  forms.set("coefficients as float64", Buffer.from(Float64Array.from(signs).buffer));
  forms.set("coefficients as 2 bits", packed(signs, 2));
  forms.set(
    "coefficients plus one as 2 bits",
    packed(
      signs.map((sign) => sign + 1),
      2,
    ),
  );
  forms.set("coefficients as JSON", Buffer.from(Array.from(signs).join(",")));
  const secret = createSecretKey(context, seededRandom(STREAM));
  for (const power of [1, 2]) {
    const polynomial = secret.power(power);
    const writer = createByteWriter();
    writePolynomial(writer, polynomial);
    const wire = Buffer.from(writer.finish());
    let at = 0;
    for (const [k, index] of polynomial.basis.entries()) {
      const { bits, value } = context.ring.moduli[index]!;
      const limb = readLimb(polynomial, k);
      const name = `s^${power} modulo ${value}`;
      forms.set(`${name} as int32`, Buffer.from(Int32Array.from(limb).buffer));
      forms.set(`${name} as float64`, Buffer.from(Float64Array.from(limb).buffer));
      forms.set(`${name} packed`, wire.subarray(at, at + (context.ring.degree * bits) / 8));
      at += (context.ring.degree * bits) / 8;
    }
    if (power === 1) {
      const q = context.ring.moduli[0]!;
      forms.set(
        "coefficients modulo q_0 packed",
        packed(
          signs.map((sign) => (sign < 0 ? q.value - 1 : sign)),
          q.bits,
        ),
      );
    }
  }
  return forms;
}

/** Names of the forms of which some piece occurs. Coefficients have long runs of nothing, so pieces are taken that have not. */
function found(haystacks: readonly Buffer[]): string[] {
  const names: string[] = [];
  for (const [name, bytes] of formsOfSecret()) {
    const length =
      name.startsWith("coefficients as float64") || name.includes("int32")
        ? 64
        : /^s\^.*packed/.test(name)
          ? NEEDLE
          : 48;
    for (let at = 0; at + length <= bytes.length && at < 64 * length; at += length) {
      if (haystacks.some((haystack) => haystack.includes(bytes.subarray(at, at + length)))) {
        names.push(name);
        break;
      }
    }
  }
  return names;
}

test("the recording is the whole session", () => {
  expect(sent.filter((bytes) => bytes.toString("latin1", 0, 7) === "POST ht")).toHaveLength(4);
  expect(sent.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(500_000);
});

test("the key that is searched for is the client's: it decrypts what the client encrypted", () => {
  // Seeded alike, the client drew this secret first. Its seeds follow in the same stream, and those are on the wire.
  const context = createRlweContext(manifest.parameters);
  const random = seededRandom(STREAM);
  createSecretKey(context, random);
  const seed = new Uint8Array(32);
  random(seed);
  expect(sent.some((bytes) => bytes.includes(Buffer.from(seed)))).toBe(true);
});

test("no form of the secret key is in anything that the client sends", () => {
  expect(found(sent)).toEqual([]);
});

test("nor in anything that the server's threads are told, which is all of what was sent to compute with", () => {
  const bodies = sent.filter(({ length }) => length > 10_000);
  expect(bodies.length).toBeGreaterThan(2);
  for (const body of bodies) expect(toThreads.some((bytes) => bytes.equals(body))).toBe(true);
  expect(found(toThreads)).toEqual([]);
});

test("the search would find it", () => {
  const forms = formsOfSecret();
  expect(found([Buffer.concat([sent[1]!, ...forms.values()])]).length).toBe(forms.size);
});
