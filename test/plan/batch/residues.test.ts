import fc from "fast-check";
import { expect, test } from "vitest";
import { createResidueSystem } from "../../../src/plan/index.ts";

test("residues modulo several primes are put together to the one integer in the window", () => {
  const primes = [12289, 40961, 1_073_479_681];
  const system = createResidueSystem(primes);
  expect(system.product).toBe(primes.reduce((product, prime) => product * BigInt(prime), 1n));
  fc.assert(
    fc.property(fc.bigInt(-(2n ** 80n), 2n ** 80n), fc.bigInt(0n, system.product - 1n), (low, offset) => {
      const value = low + offset;
      const residues = primes.map((prime) => Number(((value % BigInt(prime)) + BigInt(prime)) % BigInt(prime)));
      expect(system.combine(residues, low)).toBe(value);
    }),
  );
});
