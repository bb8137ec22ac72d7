import { Buffer } from "node:buffer";
import { beforeAll, describe, expect, test } from "vitest";
import { createApp } from "../../dist/server/index.js";
import { chooseSeedParameters, createBfvContext } from "../../src/bfv/index.ts";
import { computeLayers, createClient, parseClientConfig } from "../../src/client/index.ts";
import { readLimb, sampleTernary } from "../../src/math/index.ts";
import { createSecretKey } from "../../src/owner/index.ts";
import { CONTENT_TYPES } from "../../src/protocol/index.ts";
import { createByteWriter, createRlweContext, type RlweContext, writePolynomial } from "../../src/rlwe/index.ts";
import { seededRandom } from "../helpers/random.ts";
import { startPool } from "../server/pool.ts";
import { INPUT, INPUT_SHAPE } from "../server/wire.ts";

/**
 * Everything that the client sends, and everything that the server then tells its threads, is recorded and searched for the client's secret
 * key. The client's randomness is seeded here, so the same key can be drawn again.
 */
const STREAM = 77;
/** Bytes of the transformed key that are searched for: as many as do not occur by chance in a megabyte. */
const NEEDLE = 12;

interface Recording {
  readonly bodies: Buffer[];
  /** Bodies, what they carry as base64, and all that goes with them. */
  readonly sent: Buffer[];
  readonly toThreads: Buffer[];
  /** Of the parameters that the client drew its key for. */
  context: RlweContext;
}

type Work = (app: { fetch(request: Request): Promise<Response> }) => Promise<RlweContext>;

/** What a client does to an app on a pool of threads. */
async function record(work: Work): Promise<Recording> {
  const recording: Recording = { bodies: [], sent: [], toThreads: [], context: undefined as unknown as RlweContext };
  const pool = await startPool({}, (message) => {
    recording.toThreads.push(
      ...bytesIn(message),
      Buffer.from(JSON.stringify(message, (_, value) => (ArrayBuffer.isView(value) ? "" : value))),
    );
  });
  const app = createApp({ compute: pool });
  const fetch = async (request: Request): Promise<Response> => {
    const copy = request.clone();
    recording.sent.push(Buffer.from(`${request.method} ${request.url} ${JSON.stringify([...request.headers])}`));
    const body = Buffer.from(await copy.arrayBuffer());
    recording.bodies.push(body);
    recording.sent.push(body);
    if (request.headers.get("content-type") === CONTENT_TYPES.json)
      recording.sent.push(...base64In(JSON.parse(body.toString())));
    return app.fetch(request);
  };
  recording.context = await work({ fetch });
  await app.close();
  return recording;
}

/** A session: evaluation keys and two rounds of CKKS ciphertexts. */
const session: Work = async ({ fetch }) => {
  const client = createClient({ server: "http://server", random: seededRandom(STREAM), fetch });
  const opened = await client.open("square", { inputShape: INPUT_SHAPE, rencryptPositions: [2] });
  await opened.classify({ shape: INPUT_SHAPE, data: INPUT });
  await opened.close();
  return createRlweContext(opened.manifest.parameters);
};

/** Layers under PyCrCNN's parameters, or others with a key for relinearization: public key and two rounds of BFV ciphertexts. */
const layers =
  (m: number): Work =>
  async ({ fetch }) => {
    const set = { m, p: 13513511, sec: 128, base: 2, rencrypt_positions: [1] };
    const config = { address: "http://server/compute", encryption_parameters: [set], net: "square", layers: [0, 1, 2] };
    const parsed = parseClientConfig(JSON.stringify(config), "client.json");
    await computeLayers(parsed, { shape: INPUT_SHAPE, data: INPUT }, { random: seededRandom(STREAM), fetch });
    return createBfvContext(chooseSeedParameters(set).parameters);
  };

const recordings = new Map<string, Recording>();
beforeAll(async () => {
  for (const [name, { work }] of Object.entries(KINDS)) recordings.set(name, await record(work));
});

/** The bytes of all arrays in a message. */
function bytesIn(message: unknown): Buffer[] {
  if (typeof message !== "object" || message === null) return [];
  if (!ArrayBuffer.isView(message)) return Object.values(message).flatMap(bytesIn);
  return [Buffer.from(new Uint8Array(message.buffer, message.byteOffset, message.byteLength))];
}

/** The bytes that a JSON body carries as base64. */
function base64In(part: unknown): Buffer[] {
  if (typeof part === "string") return [Buffer.from(part, "base64")];
  return typeof part === "object" && part !== null ? Object.values(part).flatMap(base64In) : [];
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
function formsOfSecret(context: RlweContext): Map<string, Buffer> {
  const forms = new Map<string, Buffer>();
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
function found(haystacks: readonly Buffer[], context: RlweContext): string[] {
  const names: string[] = [];
  for (const [name, bytes] of formsOfSecret(context)) {
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

/** By what a client does: the requests with a body that it takes, and the bytes that these have at least. */
const KINDS: Readonly<Record<string, { readonly work: Work; readonly posts: number; readonly bytes: number }>> = {
  "a session": { work: session, posts: 4, bytes: 500_000 },
  "layers under PyCrCNN's parameters": { work: layers(2048), posts: 2, bytes: 400_000 },
  "layers under parameters with a special prime": { work: layers(4096), posts: 2, bytes: 800_000 },
};

describe.each(Object.entries(KINDS))("%s", (name, { posts, bytes }) => {
  const recorded = (): Recording => recordings.get(name)!;

  test("the recording is the whole of it", () => {
    const { sent } = recorded();
    expect(sent.filter((each) => each.toString("latin1", 0, 7) === "POST ht")).toHaveLength(posts);
    expect(sent.reduce((sum, { length }) => sum + length, 0)).toBeGreaterThan(bytes);
  });

  test("the key that is searched for is the client's: it decrypts what the client encrypted", () => {
    // Seeded alike, the client drew this secret first. Its seeds follow in the same stream, and those are on the wire.
    const { sent, context } = recorded();
    const random = seededRandom(STREAM);
    createSecretKey(context, random);
    const seed = new Uint8Array(32);
    random(seed);
    expect(sent.some((each) => each.includes(Buffer.from(seed)))).toBe(true);
  });

  test("no form of the secret key is in anything that the client sends", () => {
    const { sent, context } = recorded();
    expect(found(sent, context)).toEqual([]);
  });

  test("nor in anything that the server's threads are told, which is all of what was sent to compute with", () => {
    const { toThreads, context } = recorded();
    const bodies = recorded().bodies.filter(({ length }) => length > 10_000);
    expect(bodies.length).toBeGreaterThanOrEqual(2);
    for (const body of bodies) expect(toThreads.some((each) => each.equals(body))).toBe(true);
    expect(found(toThreads, context)).toEqual([]);
  });

  test("the search would find it", () => {
    const { sent, context } = recorded();
    const forms = formsOfSecret(context);
    expect(found([Buffer.concat([sent[1]!, ...forms.values()])], context).length).toBe(forms.size);
  });
});
