import { describe, expect, test } from "vitest";
import * as oracle from "../../src/math/bigint-ntt.ts";
import { createNttTable, findNttPrimes, modulus, reverseBits } from "../../src/math/index.ts";

describe("reverseBits", () => {
  test.each([0, 1, 4, 10, 16])("%i bits, as the oracle has it", (bits) => {
    for (let index = 0; index < 2 ** bits; index += Math.max(1, 2 ** (bits - 10))) {
      expect(reverseBits(index, bits)).toBe(oracle.reverseBits(index, bits));
    }
  });
});

describe("createNttTable", () => {
  test.each([1024, 2048, 65_536])("N = %i: powers of the root in bit-reversed order, with quotients", (degree) => {
    const field = modulus(findNttPrimes(degree, [29])[0]);
    const table = createNttTable(degree, field);
    const q = BigInt(field.value);
    const root = BigInt(table.root);
    const inverseRoot = oracle.invert(root, q);
    expect(oracle.power(root, BigInt(degree), q)).toBe(q - 1n);
    expect(oracle.mod(BigInt(table.inverseDegree) * BigInt(degree), q)).toBe(1n);
    for (const index of [0, 1, 2, 3, 5, degree / 2, degree - 2, degree - 1]) {
      const exponent = BigInt(oracle.reverseBits(index, Math.log2(degree)));
      expect(table.roots[index]).toBe(Number(oracle.power(root, exponent, q)));
      expect(table.inverseRoots[index]).toBe(Number(oracle.power(inverseRoot, exponent, q)));
      expect(table.rootQuotients[index]).toBe(table.roots[index] / field.value);
      expect(table.inverseRootQuotients[index]).toBe(table.inverseRoots[index] / field.value);
    }
    expect(table.roots).toHaveLength(degree);
    expect(new Set(table.roots).size).toBe(degree);
  });
});
