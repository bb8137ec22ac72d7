import { describe, expect, test } from "vitest";
import { type CkksCiphertext, createCkksEvaluator, encryptPublic } from "../../src/ckks/index.ts";
import { generatePublicKey } from "../../src/owner/index.ts";
import { freeCiphertext } from "../../src/rlwe/index.ts";
import { createParty } from "../helpers/rlwe.ts";
import { createBench, fromSeed, keysFor, randomSlots } from "./support.ts";

const party = createParty({ data: [30, 28, 28, 28], special: [30, 30] });
const { context, secret, random } = party;
const { heap } = context.ring;
const bench = createBench(party);
const evaluator = createCkksEvaluator(context, keysFor(party, [1, 2]));
const publicKey = generatePublicKey(secret, random);
const { ciphertext } = bench.encrypt(randomSlots(512, fromSeed(1)), { scale: 2 ** 26 });
const plaintext = bench.encode(randomSlots(512, fromSeed(2)), { scale: 2 ** 20 });
const addend = bench.encode(randomSlots(512, fromSeed(2)), { scale: 2 ** 26 });
const product = evaluator.multiply(ciphertext, ciphertext);
const lifted = evaluator.multiplyPlain(ciphertext, addend);
const raisedPlaintext = bench.encode(randomSlots(512, fromSeed(2)), { scale: 2 ** 20, raised: true });

const operations: Record<string, () => readonly Pick<CkksCiphertext, "components">[]> = {
  add: () => [evaluator.add(ciphertext, ciphertext)],
  "add of three components and two": () => [evaluator.add(product, lifted), evaluator.add(lifted, product)],
  subtract: () => [evaluator.subtract(ciphertext, ciphertext)],
  "subtract of three components and two": () => [
    evaluator.subtract(product, lifted),
    evaluator.subtract(lifted, product),
  ],
  negate: () => [evaluator.negate(ciphertext)],
  addPlain: () => [evaluator.addPlain(ciphertext, addend)],
  multiplyPlain: () => [evaluator.multiplyPlain(product, plaintext)],
  weightedSum: () => [evaluator.weightedSum(new Array(300).fill({ ciphertext, plaintext }))],
  multiply: () => [evaluator.multiply(ciphertext, ciphertext)],
  relinearize: () => [evaluator.relinearize(product)],
  rescale: () => [evaluator.rescale(ciphertext), evaluator.rescale(product)],
  dropLevel: () => [evaluator.dropLevel(ciphertext, 1)],
  rotate: () => [evaluator.rotate(ciphertext, 1), evaluator.rotate(ciphertext, 0)],
  rotateHoisted: () => evaluator.rotateHoisted(ciphertext, [0, 1, 2]),
  "raised.raise": () => [evaluator.raised.raise(ciphertext)],
  "raised.rotate": () => evaluator.raised.rotate(ciphertext, [0, 1, 2]),
  "raised.relinearize": () => [evaluator.raised.relinearize(product)],
  "raised operations on raised ciphertexts": () => {
    const { raised } = evaluator;
    const source = raised.raise(ciphertext);
    const images = raised.rotate(source, [0, 1]);
    const results = [raised.add(source, source), raised.lower(source), raised.lowerAndRescale(source)];
    for (const { components } of [source, ...images]) for (const { block } of components) block.free();
    return results;
  },
  "raised.weightedSum": () => {
    const terms = evaluator.raised
      .rotate(ciphertext, [0, 1])
      .map((each) => ({ ciphertext: each, plaintext: raisedPlaintext }));
    const sum = evaluator.raised.weightedSum(terms);
    for (const { components } of terms.map((term) => term.ciphertext)) for (const { block } of components) block.free();
    return [sum];
  },
  conjugate: () => [evaluator.conjugate(ciphertext)],
  "symmetric encryption": () => [bench.encrypt(randomSlots(8, fromSeed(3)), { scale: 2 ** 26 }).ciphertext],
  "public-key encryption": () => [encryptPublic(context, addend, publicKey, random)],
  decryption: () => {
    bench.decrypt(product);
    return [];
  },
};

describe("polynomial memory", () => {
  test.each(Object.entries(operations))("%s keeps its results and nothing else", (_, operation) => {
    // What is made once and kept (powers of the secret, tables) is made now.
    for (const { components } of operation()) for (const { block } of components) block.free();
    const { used } = heap.usage();
    const components = operation().flatMap((result) => result.components);
    const size = components.reduce((bytes, { block }) => bytes + 4 * block.length, 0);
    expect(heap.usage().used).toBe(used + size);
    for (const { block } of components) block.free();
    expect(heap.usage().used).toBe(used);
  });

  test("is given back as a whole when all is freed", () => {
    const fresh = createParty({ data: [30, 28], special: [30] });
    const { used } = fresh.context.ring.heap.usage();
    const on = createBench(fresh);
    const keys = keysFor(fresh, [1]);
    const run = createCkksEvaluator(fresh.context, keys);
    const start = on.encrypt(randomSlots(512, fromSeed(4)), { scale: 2 ** 26 }).ciphertext;
    const square = run.multiply(start, start);
    const relinearized = run.relinearize(square);
    const rescaled = run.rescale(relinearized);
    const rotated = run.rotate(rescaled, 1);
    on.decrypt(rotated);
    for (const each of [start, square, relinearized, rescaled, rotated]) freeCiphertext(each);
    for (const key of [keys.relinearization!, ...keys.galois.values()]) {
      for (const { a, b } of key.digits) for (const { block } of [a, b]) block.free();
    }
    // The secret's square stays until the secret goes.
    expect(fresh.context.ring.heap.usage().used).toBe(used + 3 * 1024 * 4);
    fresh.secret.destroy();
    expect(fresh.context.ring.heap.usage().used).toBe(used - 3 * 1024 * 4);
  });

  test("of the intermediate steps is given back where a key turns out to be missing", () => {
    const { used } = heap.usage();
    expect(() => evaluator.rotate(ciphertext, 3)).toThrow(/not supplied/);
    expect(() => evaluator.rotateHoisted(ciphertext, [3])).toThrow(/not supplied/);
    expect(() => evaluator.raised.rotate(ciphertext, [3])).toThrow(/not supplied/);
    expect(heap.usage().used).toBe(used);
  });

  test("of a freed ciphertext is used again: the heap does not grow over a thousand operations", () => {
    const { reserved } = heap.usage();
    for (let i = 0; i < 1000; i++) freeCiphertext(evaluator.add(ciphertext, ciphertext));
    for (let i = 0; i < 30; i++) freeCiphertext(evaluator.rotate(ciphertext, 1));
    expect(heap.usage().reserved).toBe(reserved);
  });
});
