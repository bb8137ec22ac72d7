import { describe, expect, test } from "vitest";
import {
  chooseSeedParameters,
  createBfvContext,
  createFractionalEncoder,
  encodeTensor,
  encryptBfv,
} from "../../src/bfv/index.ts";
import { createOwner } from "../../src/owner/index.ts";
import { maximumModulusBits, modulusBits, RING_DEGREES, type SecurityLevel } from "../../src/rlwe/index.ts";
import { seededRandom } from "../helpers/random.ts";
import { expectRefusal } from "../helpers/rlwe.ts";

const SEED = { m: 2048, p: 13_513_511, sec: 128, base: 2 };

describe("the seed system's parameters", () => {
  test("are accepted as they stand: two primes, no special one, no keys to switch with", () => {
    const { parameters, base, relinearization, budget } = chooseSeedParameters(SEED);
    expect(parameters).toMatchObject({ ringDegree: 2048, specialPrimes: [], plainModulus: 13_513_511, security: 128 });
    expect(parameters.dataPrimes.map((prime) => Math.ceil(Math.log2(prime)))).toEqual([27, 26]);
    expect({ base, relinearization }).toEqual({ base: 2, relinearization: false });
    expect(budget.fresh).toBeGreaterThan(16);
    expect(budget.product).toBe(0);
  });

  test("never have a data prime that divides p: a shorter one takes its place", () => {
    for (const configuration of [SEED, { ...SEED, m: 8192 }]) {
      const { dataPrimes, specialPrimes } = chooseSeedParameters(configuration).parameters;
      for (const p of [...dataPrimes, ...specialPrimes, 2 * dataPrimes.at(-1)!]) {
        const { parameters } = chooseSeedParameters({ ...configuration, p });
        expect(parameters.dataPrimes.filter((prime) => p % prime === 0)).toEqual([]);
        expect(createBfvContext(parameters).plainModulus).toBe(p);
      }
    }
  });

  test("compute: 19 bits when fresh, 14 after a 5x5 convolution, none after a product of two ciphertexts", async () => {
    const { parameters } = chooseSeedParameters(SEED);
    const owner = await createOwner({ scheme: "bfv", parameters }, { random: seededRandom(4) });
    const { evaluator, context } = owner;
    const encoder = createFractionalEncoder(context);
    const weights = Array.from({ length: 25 }, (_, i) => ((i * 37) % 41) / 41 - 0.5);
    const pixels = weights.map((_, i) => (i * 10) / 255);
    const { plaintexts } = encodeTensor(encoder, { shape: [5, 5], data: pixels });
    const ciphertexts = plaintexts.map((plaintext) => encryptBfv(context, plaintext, owner.publicKey()));
    const fresh = owner.noiseBudget(ciphertexts[0]!);
    expect(fresh).toBeGreaterThan(18);
    expect(fresh).toBeLessThan(20);
    const sum = ciphertexts
      .map((each, i) => evaluator.multiplyPlain(each, encoder.encodeNumber(weights[i]!)))
      .reduce((left, right) => evaluator.add(left, right));
    expect(owner.noiseBudget(sum)).toBeGreaterThan(13);
    const decoded = encoder.decodeNumber(owner.decrypt(sum));
    const quantised = (value: number): number => Math.round(value * 2 ** 32) / 2 ** 32;
    const expected = weights.reduce((total, weight, i) => total + quantised(weight) * quantised(pixels[i]!), 0);
    expect(Math.abs(decoded - expected)).toBeLessThan(1e-12);

    const product = evaluator.square(ciphertexts[0]!);
    expect(product.components).toHaveLength(3);
    expect(owner.noiseBudget(product)).toBe(0);
    expectRefusal(() => owner.decrypt(product), "PRECISION_LOST", /noise budget is used up/);
    expectRefusal(() => owner.addKeys({ relinearization: true }), "NO_SPECIAL_PRIME", /no special prime/);
    expectRefusal(() => owner.addKeys({ rows: [1] }), "NO_SPECIAL_PRIME");
    expectRefusal(() => evaluator.relinearize(product), "NO_SPECIAL_PRIME");
    owner.destroy();
  });

  test.each(RING_DEGREES.flatMap((m) => ([128, 192, 256] as const).map((sec) => ({ m, sec }))))(
    "at m = $m and $sec bits fill the table's modulus, and keep a special prime where it leaves enough",
    ({ m, sec }) => {
      const limit = maximumModulusBits(m, sec as SecurityLevel);
      if (limit === 0) {
        expect(() => chooseSeedParameters({ m, sec, p: 17, base: 2 })).toThrow(/: m 1024 carries no modulus/);
        return;
      }
      const { parameters, relinearization, budget } = chooseSeedParameters({ m, sec, p: 17, base: 2 });
      const { dataPrimes, specialPrimes } = parameters;
      const bits = modulusBits([...dataPrimes, ...specialPrimes]);
      expect(bits).toBeLessThanOrEqual(limit);
      // Primes are a little below their powers of two; short ones are rare.
      expect(bits).toBeGreaterThan(limit - 0.5 - 0.06 * Math.ceil(limit / 30));
      expect(dataPrimes.length + specialPrimes.length).toBe(Math.ceil(limit / 30));
      expect(relinearization).toBe(specialPrimes.length === 1);
      if (relinearization) {
        expect(budget.product).toBeGreaterThan(0);
        expect(Math.max(...dataPrimes)).toBeLessThan(2 * specialPrimes[0]!);
      }
      if (m <= 4096) expect(createBfvContext(parameters).maxLevel).toBe(dataPrimes.length - 1);
    },
  );
});

describe("a broken configuration is refused in one line that names the field", () => {
  test.each<[string, unknown, RegExp]>([
    ["nothing", undefined, /encryption_parameters must be an object with m, p, sec and base, got undefined/],
    ["null", null, /encryption_parameters must be an object .* got null/],
    ["a list", [SEED], /encryption_parameters must be an object/],
    ["a string", "m=2048", /encryption_parameters must be an object .* got "m=2048"/],
    ["no m", { ...SEED, m: undefined }, /: m must be the ring degree.* got undefined/],
    ["m as a string", { ...SEED, m: "2048" }, /: m must be .* got "2048"/],
    ["m that is no power of two", { ...SEED, m: 2000 }, /: m must be .* a power of two from 1024 to 65536, got 2000/],
    ["m too small", { ...SEED, m: 512 }, /: m must be .* got 512/],
    ["m too large", { ...SEED, m: 131072 }, /: m must be .* got 131072/],
    [
      "m without any modulus",
      { ...SEED, m: 1024, sec: 192 },
      /: m 1024 carries no modulus with 192-bit security; use m = 2048 or more/,
    ],
    ["no p", { ...SEED, p: undefined }, /: p must be the plain modulus.* got undefined/],
    ["p as a fraction", { ...SEED, p: 2.5 }, /: p must be .* got 2.5/],
    ["p too small", { ...SEED, p: 1 }, /: p must be .* got 1/],
    ["a negative p", { ...SEED, p: -7 }, /: p must be .* got -7/],
    [
      "p too large",
      { ...SEED, p: 2 ** 31 },
      /: p must be an?.* from 2 to 1056964607, got 2147483648|: p must be the plain modulus/,
    ],
    [
      "p that fills the modulus",
      { ...SEED, m: 1024 },
      /: p 13513511 leaves no noise budget in the 26 bits .* use p below 2\^\d+, or a larger m/,
    ],
    ["no sec", { ...SEED, sec: undefined }, /: sec must be 128, 192 or 256 bits of security, got undefined/],
    ["another sec", { ...SEED, sec: 80 }, /: sec must be .* got 80/],
    ["sec as a string", { ...SEED, sec: "128" }, /: sec must be .* got "128"/],
    ["no base", { ...SEED, base: undefined }, /: base must be an integer of 2 or more.* got undefined/],
    ["base 1", { ...SEED, base: 1 }, /: base must be .* got 1/],
    [
      "base above p",
      { ...SEED, p: 17, base: 18 },
      /: base must be an integer of 2 or more whose digits fit p = 17, got 18/,
    ],
    ["a message that would break the line", { ...SEED, m: "a\nb" }, /: m must be .* got "a\\nb"/],
  ])("%s", (_, configuration, message) => {
    let thrown: unknown;
    try {
      chooseSeedParameters(configuration as never);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toSatisfy((error) => error instanceof TypeError || error instanceof RangeError);
    expect((thrown as Error).message).toMatch(message);
    expect((thrown as Error).message).not.toContain("\n");
  });

  test("the p that it names instead works", () => {
    let bound = 0;
    try {
      chooseSeedParameters({ ...SEED, m: 1024 });
    } catch (error) {
      bound = 2 ** Number(/below 2\^(\d+)/.exec((error as Error).message)![1]);
    }
    expect(chooseSeedParameters({ ...SEED, m: 1024, p: bound - 1 }).budget.fresh).toBeGreaterThan(0);
    expect(() => chooseSeedParameters({ ...SEED, m: 1024, p: 2 * bound })).toThrow(/: p \d+ leaves no noise budget/);
  });

  test("what else the file says about the set is not looked at", () => {
    expect(chooseSeedParameters({ ...SEED, rencrypt_positions: [] } as typeof SEED).relinearization).toBe(false);
  });
});
