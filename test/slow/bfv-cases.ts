/** Ten thousand random cases an operation at a small degree, a hundred at N = 8192: in two files, so that two processes share them. */

import fc from "fast-check";
import { describe, test } from "vitest";
import { checkOperation, OPERATIONS } from "../bfv/operations.ts";
import { createBfvParty, withSlots } from "../bfv/support.ts";

/** A case is two random vectors of N slots, encrypted, through one operation, and decrypted. */
const sets = () => [
  {
    name: "10,000 cases at N = 1024",
    party: withSlots(createBfvParty({ data: [30, 30, 30], special: [30], plain: 14 })),
    cases: 10_000,
    // Big integers take longer than everything else.
    measureEvery: 25,
  },
  {
    name: "100 cases at N = 8192",
    party: withSlots(
      createBfvParty({ degree: 8192, data: [30, 30, 30, 30, 30, 30], special: [30], plain: 20, security: 128 }),
    ),
    cases: 100,
    measureEvery: 4,
  },
];

const WITH_PRODUCTS = /square|^multiply$|relinearize|components/;

/** @param products Operations with products of ciphertexts, or those without. */
export function describeOperations(products: boolean): void {
  const names = Object.keys(OPERATIONS).filter((name) => WITH_PRODUCTS.test(name) === products);
  describe.each(sets())("$name", ({ party, cases, measureEvery }) => {
    test.each(names)("%s agrees with slots modulo t, and its noise with the estimate", (name) => {
      let run = 0;
      fc.assert(
        fc.property(fc.nat(), (seed) => checkOperation(party, name, seed, run++ % measureEvery === 0)),
        { numRuns: cases },
      );
    });
  });
}
