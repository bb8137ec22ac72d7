import { describe, expect, test } from "vitest";
import {
  type BfvCiphertext,
  type BfvParameters,
  createBfvContext,
  createBfvEvaluator,
  encryptBfv,
} from "../../src/bfv/index.ts";
import { decryptBfv, generateRelinearizationKey, noiseBudget } from "../../src/owner/index.ts";
import { expectRefusal } from "../helpers/rlwe.ts";
import { bfvParameters, createBfvParty } from "./support.ts";

const SHAPE = { data: [30, 30, 30], special: [30] };
const party = createBfvParty(SHAPE);
const other = createBfvParty(SHAPE);
const { context, evaluator, secret, publicKey } = party;
const zero = new Int32Array(1024);
const plaintext = { coefficients: zero, plainModulus: context.plainModulus };
const top = party.encrypt(zero);
const lower = evaluator.switchModulus(top);
const bottom = evaluator.switchModulus(lower);
const product = evaluator.multiply(top, top);
const nttProduct = evaluator.toNtt(product);
const foreign = other.encrypt(zero);
const untyped = (ciphertext: BfvCiphertext): BfvCiphertext<"ntt"> => ciphertext as BfvCiphertext<"ntt">;

describe("parameters", () => {
  const valid = bfvParameters(SHAPE);
  test.each<[string, Partial<BfvParameters>, RegExp]>([
    [
      "no plain modulus",
      { plainModulus: undefined as never },
      /plainModulus must be an integer from 2 to 1056964607, got undefined/,
    ],
    ["a plain modulus of 1", { plainModulus: 1 }, /plainModulus must be an integer from 2/],
    ["a fraction", { plainModulus: 2.5 }, /got 2.5/],
    ["one beyond 30 bits", { plainModulus: 2 ** 30 }, /got 1073741824/],
    [
      "a data prime as plain modulus",
      { plainModulus: valid.dataPrimes[1]! },
      /must not be a multiple of the data prime/,
    ],
    [
      "one that fills the modulus",
      { dataPrimes: valid.dataPrimes.slice(0, 1), plainModulus: 2 ** 29 + 1 },
      /leaves no room for noise in a modulus of 30.0 bits/,
    ],
  ])("refuse %s", (_, wrong, message) => {
    const make = () => createBfvContext({ ...valid, ...wrong });
    expect(make).toThrow(RangeError);
    expect(make).toThrow(message);
  });

  test("above the security table throw, auxiliary primes not counted", () => {
    expectRefusal(() => createBfvContext({ ...valid, security: 128 }), "INSECURE_PARAMETERS", /26 bits/);
    const secure = bfvParameters({ degree: 4096, data: [27, 26, 26], special: [27], security: 128 });
    const { ring, modulusBits } = createBfvContext(secure);
    expect(ring.moduli.length).toBeGreaterThan(4 + 3);
    expect(modulusBits).toBeLessThan(106);
  });

  test("with another plain modulus make other ciphertexts", () => {
    expect(createBfvContext({ ...valid, plainModulus: 257 }).id).not.toBe(createBfvContext(valid).id);
    expect(createBfvContext(valid).id).toBe(context.id);
    expect(() => context.scaledMessage(3)).toThrow(/level must be an integer from 0 to 2, got 3/);
  });
});

describe("operands", () => {
  test.each<[string, () => unknown]>([
    ["add", () => evaluator.add(top, foreign)],
    ["subtract", () => evaluator.subtract(foreign, top)],
    ["negate", () => evaluator.negate(foreign)],
    ["addPlain", () => evaluator.addPlain(foreign, plaintext)],
    ["subtractPlain", () => evaluator.subtractPlain(foreign, plaintext)],
    ["multiplyPlain", () => evaluator.multiplyPlain(foreign, plaintext)],
    ["multiplyPlain", () => evaluator.multiplyPlain(top, other.evaluator.prepareFactor(plaintext))],
    ["multiplyInteger", () => evaluator.multiplyInteger(foreign, 2)],
    ["multiply", () => evaluator.multiply(top, foreign)],
    ["square", () => evaluator.square(foreign)],
    ["relinearize", () => evaluator.relinearize(other.evaluator.square(foreign))],
    ["rotateRows", () => evaluator.rotateRows(foreign, 1)],
    ["rotateRowsHoisted", () => evaluator.rotateRowsHoisted(foreign, [1])],
    ["rotateColumns", () => evaluator.rotateColumns(foreign)],
    ["switchModulus", () => evaluator.switchModulus(foreign)],
    ["toNtt", () => evaluator.toNtt(foreign)],
    ["toCoefficients", () => evaluator.toCoefficients(foreign)],
  ])("of other parameters: %s says so", (operation, action) => {
    expectRefusal(action, "FOREIGN_OBJECT", `${operation}: `);
  });

  test("of another key are refused by decryption and by the noise budget", () => {
    expectRefusal(() => decryptBfv(secret, foreign), "FOREIGN_OBJECT", /decrypt: /);
    expectRefusal(() => noiseBudget(secret, foreign), "FOREIGN_OBJECT");
  });

  test("with another plain modulus, or of another length", () => {
    for (const wrong of [
      { ...plaintext, plainModulus: 257 },
      { ...plaintext, coefficients: new Int32Array(512) },
    ]) {
      for (const action of [
        () => evaluator.addPlain(top, wrong),
        () => evaluator.multiplyPlain(top, wrong),
        () => evaluator.prepareFactor(wrong),
        () => encryptBfv(context, wrong, publicKey),
      ]) {
        expectRefusal(action, "FOREIGN_OBJECT", /encode it with an encoder made from the same context/);
      }
    }
  });

  test.each<[string, () => unknown]>([
    ["add", () => evaluator.add(top, lower)],
    ["subtract", () => evaluator.subtract(lower, top)],
    ["multiply", () => evaluator.multiply(top, lower)],
  ])("at different levels: %s names both and the remedy", (operation, action) => {
    expectRefusal(action, "LEVEL_MISMATCH", `${operation}: `, /levels (2 and 1|1 and 2)/, "level 1 with switchModulus");
  });

  test("a factor below its ciphertext, and a ciphertext without a prime to drop", () => {
    const factor = evaluator.prepareFactor(plaintext, 1);
    expectRefusal(
      () => evaluator.multiplyPlain(top, factor),
      "LEVEL_MISMATCH",
      /factor is at level 1, the ciphertext at level 2/,
    );
    expect(evaluator.multiplyPlain(bottom, factor).level).toBe(0);
    expectRefusal(() => evaluator.switchModulus(bottom), "LEVEL_EXHAUSTED", /at level 0, no prime is left/);
  });

  test("in different domains, or the wrong one, name the conversion", () => {
    expectRefusal(() => evaluator.add(untyped(product), top), "DOMAIN_MISMATCH", /add: .* toNtt or toCoefficients/);
    for (const action of [
      () => evaluator.multiplyPlain(untyped(product), plaintext),
      () => evaluator.switchModulus(untyped(product)),
      () => evaluator.rotateColumns(untyped(evaluator.toCoefficients(top))),
    ]) {
      expectRefusal(action, "DOMAIN_MISMATCH", /takes a ciphertext in NTT form/, /toNtt/);
    }
  });

  test("of the wrong number of components", () => {
    expectRefusal(
      () => evaluator.rotateRows(nttProduct, 1),
      "COMPONENT_COUNT",
      /rotateRows takes a ciphertext of 2 components, got one of 3; relinearize/,
    );
    expectRefusal(
      () => evaluator.relinearize(top),
      "COMPONENT_COUNT",
      /relinearize takes a ciphertext of 3 components, got one of 2/,
    );
  });

  test("in sums of many: none, of several levels, domains or numbers of components", () => {
    const sum =
      (...ciphertexts: BfvCiphertext[]) =>
      () =>
        evaluator.weightedSum(ciphertexts.map((ciphertext) => ({ ciphertext, weight: 1 })));
    expect(sum()).toThrow("weightedSum needs at least one term");
    expect(() => evaluator.weightedSumPlain([])).toThrow("weightedSumPlain needs at least one term");
    expectRefusal(sum(top, lower), "LEVEL_MISMATCH", /weightedSum: /);
    expectRefusal(sum(top, product), "DOMAIN_MISMATCH", /weightedSum: /);
    expectRefusal(
      sum(top, nttProduct),
      "COMPONENT_COUNT",
      /weightedSum takes a ciphertext of 2 components, got one of 3/,
    );
    expectRefusal(sum(top, foreign), "FOREIGN_OBJECT", /weightedSum: /);
    expect(() => evaluator.weightedSum([{ ciphertext: top, weight: 0.5 }])).toThrow(
      "weight must be an integer below 2^53, got 0.5",
    );
  });

  test("numbers that are none", () => {
    for (const wrong of [0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
      expect(() => evaluator.multiplyInteger(top, wrong)).toThrow(`value must be an integer below 2^53, got ${wrong}`);
    }
    expect(() => evaluator.rotateRows(top, 0.5)).toThrow("steps must be an integer, got 0.5");
  });
});

describe("keys", () => {
  test("that are missing or too short are named", () => {
    const without = createBfvEvaluator(context, { relinearization: undefined, galois: new Map() });
    expectRefusal(
      () => without.relinearize(product),
      "MISSING_KEY",
      /key for relinearization at level 2 was not supplied/,
    );
    expectRefusal(
      () => without.rotateRows(top, 3),
      "MISSING_KEY",
      /key for a rotation of rows by 3 at level 2 was not supplied/,
    );
    expectRefusal(() => without.rotateColumns(top), "MISSING_KEY", /a rotation of columns/);
    expect(without.rotateRows(top, 512).components.length).toBe(2);
    const short = createBfvEvaluator(context, {
      relinearization: generateRelinearizationKey(secret, 1),
      galois: new Map(),
    });
    expectRefusal(() => short.relinearize(product), "MISSING_KEY", /reaches only level 1/);
  });

  test("without a special prime there are none: relinearization and rotation say why", () => {
    const plain = createBfvParty({ data: [30, 30, 30, 30], special: [] });
    const x = plain.encrypt(zero);
    const square = plain.evaluator.square(x);
    expect([...plain.decrypt(square)]).toEqual([...zero]);
    for (const action of [
      () => plain.evaluator.relinearize(square),
      () => plain.evaluator.multiplyRelinearize(x, x),
      () => plain.evaluator.rotateRows(x, 1),
      () => plain.evaluator.rotateColumns(x),
    ]) {
      expectRefusal(action, "NO_SPECIAL_PRIME", /no special prime/, /no relinearization and no rotation/);
    }
  });

  test("a failed relinearization of a product gives the product's memory back", () => {
    const plain = createBfvParty({ data: [30, 30], special: [], plain: 14 });
    const x = plain.encrypt(zero);
    expect(() => plain.evaluator.multiplyRelinearize(x, x)).toThrow();
    const { used } = plain.context.ring.heap.usage();
    expect(() => plain.evaluator.multiplyRelinearize(x, x)).toThrow();
    expect(plain.context.ring.heap.usage().used).toBe(used);
  });
});
