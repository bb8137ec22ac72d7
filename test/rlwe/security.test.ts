import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findNttPrimes } from "../../src/math/index.ts";
import {
  createRlweContext,
  maximumModulusBits,
  modulusBits,
  RING_DEGREES,
  requireSecure,
  type SecurityLevel,
} from "../../src/rlwe/index.ts";
import { expectRefusal } from "../helpers/rlwe.ts";

/** ePrint 2024/463, ternary secret; 0 where the guidelines have no entry. */
const TABLE: Record<SecurityLevel, number[]> = {
  128: [26, 53, 106, 214, 430, 868, 1747],
  192: [0, 36, 73, 147, 297, 597, 1199],
  256: [0, 27, 56, 114, 230, 462, 929],
};
const LEVELS: SecurityLevel[] = [128, 192, 256];
const entries = LEVELS.flatMap((security) =>
  RING_DEGREES.map((degree, i) => ({ security, degree, limit: TABLE[security][i]!, larger: RING_DEGREES[i + 1] })),
);

/** Stand-ins for primes (the check only adds up logarithms) with exactly this many bits in all. */
const pretendPrimes = (bits: number): number[] =>
  Array.from({ length: Math.ceil(bits / 30) }, (_, i) => 2 ** Math.min(30, bits - 30 * i));

describe("the security table", () => {
  test.each(entries)("$security bits at N = $degree: $limit", ({ security, degree, limit, larger }) => {
    expect(maximumModulusBits(degree, security)).toBe(limit);
    requireSecure(degree, pretendPrimes(limit), security);
    const remedies = [
      larger === undefined ? /: (?!use N)/ : `use N = ${larger}`,
      limit === 0 ? /^(?!.*shorten)/ : `shorten the modulus to ${limit} bits`,
    ];
    expectRefusal(
      () => requireSecure(degree, pretendPrimes(limit + 1), security),
      "INSECURE_PARAMETERS",
      `log2(QP) = ${limit + 1}.0 bits`,
      `the ${limit} bits that ${security}-bit security allows at N = ${degree}`,
      ...remedies,
    );
  });

  test("refuses a modulus exactly when it is above the cap", () => {
    const choice = fc.record({
      security: fc.constantFrom(...LEVELS),
      degree: fc.constantFrom(...RING_DEGREES),
      primes: fc.array(fc.integer({ min: 2 ** 20, max: 2 ** 30 }), { minLength: 1, maxLength: 64 }),
    });
    fc.assert(
      fc.property(choice, ({ security, degree, primes }) => {
        const limit = TABLE[security][RING_DEGREES.indexOf(degree)]!;
        const product = primes.reduce((left, right) => left * BigInt(right), 1n);
        const check = (): void => requireSecure(degree, primes, security);
        if (product > 1n << BigInt(limit)) expectRefusal(check, "INSECURE_PARAMETERS");
        else expect(check).not.toThrow();
      }),
      { numRuns: 300 },
    );
  });

  test("names the smallest ring degree that would do, over several steps", () => {
    expectRefusal(
      () => requireSecure(1024, pretendPrimes(215), 128),
      "INSECURE_PARAMETERS",
      "use N = 16384, or shorten the modulus to 26 bits",
    );
    expectRefusal(
      () => requireSecure(1024, pretendPrimes(1200), 192),
      "INSECURE_PARAMETERS",
      "no ring degree up to 65536 carries such a modulus",
    );
  });

  test("counts the special primes, and is skipped for insecure parameters alone", () => {
    const [special, ...dataPrimes] = findNttPrimes(8192, new Array(8).fill(30)) as [number, ...number[]];
    const parameters = (security: SecurityLevel | "insecure", count: number) => ({
      ringDegree: 8192,
      dataPrimes: dataPrimes.slice(0, count),
      specialPrimes: [special],
      security,
    });
    expect(createRlweContext(parameters(128, 6)).modulusBits).toBeCloseTo(209.8, 1);
    expectRefusal(() => createRlweContext(parameters(128, 7)), "INSECURE_PARAMETERS", "239.8", "214", "N = 16384");
    expectRefusal(() => createRlweContext(parameters(192, 6)), "INSECURE_PARAMETERS", "209.8", "147", "N = 16384");
    expect(createRlweContext(parameters("insecure", 7)).maxLevel).toBe(6);
  });

  test("adds up logarithms", () => {
    expect(modulusBits([])).toBe(0);
    expect(modulusBits([2, 4, 1024])).toBe(13);
  });

  test("refuses a security level that the table does not have", () => {
    const unknown = 100 as SecurityLevel;
    expect(() => requireSecure(8192, [12289], unknown)).toThrow(RangeError);
    expect(() => maximumModulusBits(8192, unknown)).toThrow(/128, 192 or 256.*got 100/);
  });
});
