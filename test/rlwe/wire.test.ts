import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { expandUniform, findNttPrimes, readLimb } from "../../src/math/index.ts";
import { generateGaloisKey, generateRelinearizationKey } from "../../src/owner/index.ts";
import {
  createByteReader,
  createByteWriter,
  createRlweContext,
  deserializeEvaluationKeys,
  type EvaluationKeys,
  freeEvaluationKeys,
  polynomialBytes,
  type RlweContext,
  readPolynomial,
  serializeEvaluationKeys,
  writePolynomial,
} from "../../src/rlwe/index.ts";
import { createParty, expectRefusal } from "../helpers/rlwe.ts";

/** Recorded from another way of packing, bit by bit in doubles. */
const PINNED_SHA256 = "1f448382ed9bdbec44cd617fe2a1afc3cb4edf5d48324fce0c1c97e231d11914";
const BACKENDS = ["ts", "wasm"] as const;
/** Lengths that are odd, even and the longest there are. */
const PRIMES = findNttPrimes(1024, [30, 27, 22, 30]);

function contextOn(backend: (typeof BACKENDS)[number]): RlweContext {
  const parameters = {
    ringDegree: 1024,
    dataPrimes: PRIMES.slice(0, 3),
    specialPrimes: PRIMES.slice(3),
    security: "insecure",
  } as const;
  return createRlweContext(parameters, { backend });
}

/** The keys of a party whose randomness is the same in every run. */
function keysOf(context: RlweContext): EvaluationKeys {
  const { secret, random } = createParty(context, 11);
  const relinearization = generateRelinearizationKey(secret, 2, random);
  const galois = new Map([3, 9].map((element) => [element, generateGaloisKey(secret, element, 1, random)]));
  return { relinearization, galois };
}

function packedUniform(context: RlweContext): { bytes: Uint8Array<ArrayBuffer>; limbs: Int32Array[] } {
  const basis = [0, 1, 2, 3];
  const polynomial = expandUniform(context.ring, basis, new Uint8Array(32).fill(3), 0);
  const writer = createByteWriter(polynomialBytes(context.ring, basis));
  writePolynomial(writer, polynomial);
  const limbs = basis.map((k) => readLimb(polynomial, k));
  polynomial.block.free();
  return { bytes: writer.finish(), limbs };
}

describe.each(BACKENDS)("polynomials on the wire, %s backend", (backend) => {
  const context = contextOn(backend);
  const { ring } = context;
  const basis = [0, 1, 2, 3];

  test("come back as they were, from as many bytes as announced", () => {
    const { bytes, limbs } = packedUniform(context);
    expect(bytes.length).toBe(polynomialBytes(ring, basis));
    expect(bytes.length).toBe((1024 * (30 + 27 + 22 + 30)) / 8);
    const reader = createByteReader(bytes);
    const polynomial = readPolynomial(reader, ring, basis);
    reader.end();
    expect(basis.map((k) => readLimb(polynomial, k))).toEqual(limbs);
    polynomial.block.free();
  });

  test("a residue that is not below its prime is refused wherever it stands, and no memory stays reserved", () => {
    const { bytes } = packedUniform(context);
    const { used } = ring.heap.usage();
    let start = 0;
    for (const { bits, value } of ring.moduli) {
      for (const at of [0, 511, 1023]) {
        for (const [residue, accepted] of [
          [value - 1, true],
          [value, false],
          [2 ** bits - 1, false],
        ] as const) {
          const changed = bytes.slice();
          for (let bit = 0; bit < bits; bit++) {
            const position = 8 * start + at * bits + bit;
            const mask = 1 << (position & 7);
            changed[position >> 3] = (changed[position >> 3]! & ~mask) | (((residue >> bit) & 1) * mask);
          }
          const read = () => readPolynomial(createByteReader(changed), ring, basis);
          if (accepted) read().block.free();
          else expectRefusal(read, "INVALID_MESSAGE", new RegExp(`residue ${residue} is not below its prime ${value}`));
          expect(ring.heap.usage().used).toBe(used);
        }
      }
      start += (1024 * bits) / 8;
    }
  });

  test("a message that is cut off is refused before memory is reserved", () => {
    const { bytes } = packedUniform(context);
    const { used } = ring.heap.usage();
    for (const length of [0, 1, 3839, bytes.length - 1]) {
      expectRefusal(() => readPolynomial(createByteReader(bytes.subarray(0, length)), ring, basis), "INVALID_MESSAGE");
      expect(ring.heap.usage().used).toBe(used);
    }
  });
});

describe.each(BACKENDS)("evaluation keys on the wire, %s backend", (backend) => {
  const context = contextOn(backend);

  test("the bytes of known keys, which both sides depend on", () => {
    const bytes = serializeEvaluationKeys(context, keysOf(context));
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(PINNED_SHA256);
    // Written in one go: no part was copied because a buffer was too small, none is left over.
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  });

  test("come back as they were, from bytes that begin anywhere", () => {
    const keys = keysOf(context);
    const bytes = serializeEvaluationKeys(context, keys);
    const message = new Uint8Array(bytes.length + 3);
    message.set(bytes, 3);
    const { used } = context.ring.heap.usage();
    const read = deserializeEvaluationKeys(context, message.subarray(3));
    const words = ({ relinearization, galois }: EvaluationKeys) =>
      [relinearization!, ...galois.values()].map(({ level, seed, digits }) => ({
        level,
        seed: [...seed],
        limbs: digits.flatMap(({ a, b }) => [a, b].flatMap((each) => each.basis.map((_, k) => readLimb(each, k)))),
      }));
    expect([...read.galois.keys()]).toEqual([...keys.galois.keys()]);
    expect(words(read)).toEqual(words(keys));
    expect(serializeEvaluationKeys(context, read)).toEqual(bytes);
    freeEvaluationKeys(read);
    expect(context.ring.heap.usage().used).toBe(used);
  });

  test("damaged ones are refused, and no memory stays reserved", () => {
    const bytes = serializeEvaluationKeys(context, keysOf(context));
    const { used } = context.ring.heap.usage();
    const damaged = bytes.slice().fill(255, bytes.length - 64);
    expectRefusal(() => deserializeEvaluationKeys(context, damaged), "INVALID_MESSAGE", /residue/);
    expectRefusal(() => deserializeEvaluationKeys(context, bytes.subarray(0, bytes.length - 1)), "INVALID_MESSAGE");
    expect(context.ring.heap.usage().used).toBe(used);
  });
});

describe("writing bytes", () => {
  test("what was written stands in memory of its own, whether the length was guessed right or not", () => {
    for (const guess of [1, 4, 6, 100]) {
      const writer = createByteWriter(guess);
      writer.uint16(513);
      writer.bytes(Uint8Array.of(3, 4, 5, 6));
      const bytes = writer.finish();
      expect([...bytes]).toEqual([1, 2, 3, 4, 5, 6]);
      expect(bytes.buffer.byteLength).toBe(6);
    }
  });
});
