/** What every kernel backend must do where bytes become residues and back: seed expansion and bit packing are the wire format. */

import { createCipheriv } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Backend, createEngine, findNttPrimes, type Modulus, modulus } from "../../src/math/index.ts";
import { randomIntegers, seededRandom } from "../helpers/random.ts";

/** A word that no kernel writes: what stands around a result must be left alone. */
const SENTINEL = -7;

/** OpenSSL's ChaCha20 from block 0 on; its initialization vector is the block counter and the nonce. */
function keyStream(seed: Uint8Array, nonce: Uint8Array, length: number): Buffer {
  return createCipheriv("chacha20", seed, Buffer.concat([Buffer.alloc(4), nonce])).update(Buffer.alloc(length));
}

/** The contract of `sampleUniform`, to the letter. */
function expandPlainly(count: number, { value, bits }: Modulus, seed: Uint8Array, nonce: Uint8Array): number[] {
  // Half of the words are thrown away at worst; four times as many are always enough.
  const stream = keyStream(seed, nonce, 4 * (4 * count + 64));
  const words = Array.from({ length: stream.length / 4 }, (_, i) => stream.readUInt32LE(4 * i) % 2 ** bits);
  return words.filter((word) => word < value).slice(0, count);
}

/** Bit i * bits + j of the result is bit j of value i. */
function packPlainly(values: readonly number[], bits: number): number[] {
  const sum = values.reduceRight((rest, value) => (rest << BigInt(bits)) | BigInt(value), 0n);
  const hex = sum.toString(16).padStart((values.length * bits) / 4, "0");
  return hex
    .match(/../g)!
    .map((pair) => Number.parseInt(pair, 16))
    .reverse();
}

export function describeWireKernels(backend: Backend): void {
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
  const nonce = Uint8Array.from({ length: 12 }, (_, i) => 200 - i);

  function setUp() {
    const { heap, kernels } = createEngine({ backend, initialBytes: 2 ** 16 });
    return {
      heap,
      kernels,
      /** Room for a limb of `count` words, with sentinels around it. */
      room(count: number): number {
        const { offset } = heap.allocate(count + 64);
        heap.words.fill(SENTINEL, offset, offset + count + 64);
        return offset + 32;
      },
      get: (offset: number, count: number): number[] => Array.from(heap.words.subarray(offset, offset + count)),
    };
  }

  describe(`seed expansion of the ${backend} backend`, () => {
    const primes = [3, 5, 12_289, 65_537, 536_870_923, ...findNttPrimes(1024, [30, 28, 25])];

    test.each(primes)("modulo %i: the key stream of OpenSSL, word by word", (p) => {
      const { kernels, room, get } = setUp();
      const field = modulus(p);
      // Lengths that are no multiple of the blocks that a backend may make at a time.
      for (const count of [4, 60, 64, 68, 1024, 2052]) {
        const limb = room(count);
        kernels.sampleUniform(limb, count, field, seed, nonce);
        expect(get(limb, count)).toEqual(expandPlainly(count, field, seed, nonce));
        expect(new Set([...get(limb - 32, 32), ...get(limb + count, 32)])).toEqual(new Set([SENTINEL]));
      }
    });

    test("seed and nonce are read where they stand, and every call starts at block 0", () => {
      const { kernels, room, get } = setUp();
      const field = modulus(findNttPrimes(1024, [30])[0]);
      const bytes = new Uint8Array(64);
      bytes.set(seed, 3);
      bytes.set(nonce, 41);
      const limb = room(64);
      for (let call = 0; call < 2; call++) {
        kernels.sampleUniform(limb, 64, field, bytes.subarray(3, 35), bytes.subarray(41, 53));
        expect(get(limb, 64)).toEqual(expandPlainly(64, field, seed, nonce));
      }
      const other = Uint8Array.from(nonce, (byte, i) => (i === 11 ? byte ^ 1 : byte));
      kernels.sampleUniform(limb, 64, field, seed, other);
      expect(get(limb, 64)).toEqual(expandPlainly(64, field, seed, other));
    });
  });

  describe(`bit packing of the ${backend} backend`, () => {
    test.each(Array.from({ length: 29 }, (_, i) => i + 2))("%i bits: BigInt's bytes, and back", (bits) => {
      const { heap, kernels, room, get } = setUp();
      const top = 2 ** bits - 1;
      for (const count of [32, 1024, 1056]) {
        const random = randomIntegers(count, top + 1, seededRandom(bits));
        for (const values of [random, random.map(() => top), random.map((_, i) => (i % 2) * top)]) {
          const limb = room(count);
          heap.words.set(values, limb);
          const length = (count * bits) / 8;
          // A view that begins anywhere, as pieces of a message do.
          const bytes = new Uint8Array(length + 32).fill(0xa5);
          kernels.packBits(bytes.subarray(5, 5 + length), limb, count, bits);
          expect([...bytes.subarray(5, 5 + length)]).toEqual(packPlainly(values, bits));
          expect([...bytes.subarray(0, 5), ...bytes.subarray(5 + length)]).toEqual(new Array(32).fill(0xa5));

          const out = room(count);
          const largest = kernels.unpackBits(out, bytes.subarray(5, 5 + length), count, bits);
          expect(get(out, count)).toEqual(values);
          expect(largest).toBe(Math.max(...values));
          expect(new Set([...get(out - 32, 32), ...get(out + count, 32)])).toEqual(new Set([SENTINEL]));
        }
      }
    });

    test("the largest word is found wherever it stands", () => {
      const { heap, kernels, room } = setUp();
      const [count, bits] = [2048, 23];
      const [limb, out] = [room(count), room(count)];
      const bytes = new Uint8Array((count * bits) / 8);
      for (const at of [0, 1, 31, 1023, 1024, 2046, 2047]) {
        heap.words.fill(1000, limb, limb + count);
        heap.words[limb + at] = 1001;
        kernels.packBits(bytes, limb, count, bits);
        expect(kernels.unpackBits(out, bytes, count, bits)).toBe(1001);
      }
    });

    test("heap growth between two kernels changes nothing", () => {
      const { heap, kernels, room, get } = setUp();
      const field = modulus(findNttPrimes(1024, [30])[0]);
      const limb = room(1024);
      kernels.sampleUniform(limb, 1024, field, seed, nonce);
      const bytes = new Uint8Array((1024 * field.bits) / 8);
      heap.allocate(2 ** 20);
      kernels.packBits(bytes, limb, 1024, field.bits);
      heap.allocate(2 ** 22);
      const out = room(1024);
      kernels.unpackBits(out, bytes, 1024, field.bits);
      expect(get(out, 1024)).toEqual(expandPlainly(1024, field, seed, nonce));
      heap.allocate(2 ** 23);
      kernels.sampleUniform(limb, 1024, field, seed, nonce);
      expect(get(limb, 1024)).toEqual(get(out, 1024));
    });
  });
}
