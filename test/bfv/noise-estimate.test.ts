import { describe, expect, test } from "vitest";
import { type BfvCiphertext, createNoiseEstimator, type NoiseEstimate } from "../../src/bfv/index.ts";
import { findNttPrimes } from "../../src/math/index.ts";
import { noiseBudget } from "../../src/owner/index.ts";
import { modulusBits } from "../../src/rlwe/index.ts";
import { LARGEST_GAP_BITS } from "./operations.ts";
import { bfvParameters, createBfvParty, randomResidues } from "./support.ts";

function expectEstimate(measured: number, predicted: number, gap: number = LARGEST_GAP_BITS): void {
  expect(measured).toBeGreaterThanOrEqual(predicted);
  expect(measured - predicted).toBeLessThan(gap);
}

describe("the estimate", () => {
  test("holds at every step of a chain of squares, down to no budget", () => {
    const party = createBfvParty({ data: new Array(9).fill(30), special: [30], plain: 14 });
    const { evaluator, noise, secret, random } = party;
    let ciphertext = party.encryptPublic(randomResidues(party, random));
    let estimate = noise.fresh("public");
    const budgets: number[] = [];
    do {
      ciphertext = evaluator.multiplyRelinearize(ciphertext, ciphertext);
      estimate = noise.relinearize(noise.multiply(estimate, estimate));
      budgets.push(noise.budget(estimate));
      // High powers of s vary from key to key, so the estimate gets more careful with depth.
      const gap = LARGEST_GAP_BITS + Math.max(0, budgets.length - 5);
      expectEstimate(noiseBudget(secret, ciphertext), noise.budget(estimate), gap);
    } while (noise.budget(estimate) > 0);
    expect(budgets.length).toBeGreaterThan(6);
    expect(budgets).toEqual([...budgets].sort((left, right) => right - left));
  });

  test("holds where nothing is relinearized: components grow, without any special prime", () => {
    const party = createBfvParty({ data: new Array(7).fill(30), special: [], plain: 14 });
    const { evaluator, noise, secret, random } = party;
    for (const kind of ["public", "symmetric"] as const) {
      const fresh = (kind === "public" ? party.encryptPublic : party.encrypt)(randomResidues(party, random));
      let ciphertext: BfvCiphertext = fresh;
      let estimate = noise.fresh(kind);
      expectEstimate(noiseBudget(secret, ciphertext), noise.budget(estimate));
      for (let power = 2; power <= 4; power++) {
        ciphertext = evaluator.multiply(ciphertext, fresh);
        estimate = noise.multiply(estimate, noise.fresh(kind));
        expect(estimate.components).toBe(power + 1);
        expectEstimate(noiseBudget(secret, ciphertext), noise.budget(estimate));
      }
    }
  });

  test.each([
    { special: [30, 30], digitPrimes: 2 },
    // Digits of more primes than P has: relinearization after a product bears the noise, a rotation takes 30 bits.
    { special: [30], digitPrimes: 2 },
  ])(
    "holds at every level on the way down, for digits of $digitPrimes primes and special ones of $special bits",
    (digits) => {
      const party = createBfvParty({ data: [30, 28, 27, 29, 30], ...digits, plain: 17 });
      const { evaluator, noise, secret, random } = party;
      let ciphertext = evaluator.rotateColumns(party.encrypt(randomResidues(party, random)));
      let estimate = noise.rotate(noise.fresh("symmetric"));
      for (;;) {
        expectEstimate(noiseBudget(secret, ciphertext), noise.budget(estimate));
        const square = evaluator.square(ciphertext);
        const squared = noise.multiply(estimate, estimate);
        expectEstimate(noiseBudget(secret, square), noise.budget(squared));
        expectEstimate(noiseBudget(secret, evaluator.relinearize(square)), noise.budget(noise.relinearize(squared)));
        if (ciphertext.level === 0) break;
        ciphertext = evaluator.switchModulus(ciphertext);
        estimate = noise.switchModulus(estimate);
        expect(estimate.level).toBe(ciphertext.level);
      }
    },
  );

  test("of a sum of 100 counts independent noises when told so, and the worst case when not", () => {
    const party = createBfvParty({ data: [30, 30], special: [], plain: 14 });
    const { evaluator, noise, secret, random } = party;
    const terms = Array.from({ length: 100 }, () => party.encrypt(randomResidues(party, random)));
    const sum = terms.reduce((left, right) => evaluator.add(left, right));
    const estimates = terms.map(() => noise.fresh("symmetric"));
    expectEstimate(noiseBudget(secret, sum), noise.budget(noise.sum(estimates, { independent: true })));
    const same = terms.reduce((total) => evaluator.add(total, terms[0]!), evaluator.multiplyInteger(terms[0]!, 0));
    expectEstimate(noiseBudget(secret, same), noise.budget(noise.sum(estimates)));
    expect(noise.budget(noise.sum(estimates, { independent: true })) - noise.budget(noise.sum(estimates))).toBeCloseTo(
      Math.log2(10),
      6,
    );
    expect(() => noise.sum([])).toThrow(/at least one term/);
  });

  test("is a number at the largest parameters that there are, though variances are not", () => {
    const parameters = bfvParameters({ degree: 65536, data: new Array(57).fill(30), special: [30], plain: 20 });
    const noise = createNoiseEstimator(parameters);
    let estimate: NoiseEstimate = noise.fresh("public");
    const budgets: number[] = [];
    while (noise.budget(estimate) > 0) {
      budgets.push(noise.budget(estimate));
      estimate = noise.relinearize(noise.multiply(estimate, estimate));
    }
    expect(budgets[0]).toBeGreaterThan(1650);
    expect(budgets.length).toBeGreaterThan(30);
    expect(budgets.every(Number.isFinite)).toBe(true);
  });

  test("of products with 0 leaves all of the budget there is, and never more than the modulus", () => {
    const dataPrimes = findNttPrimes(1024, [30, 30]);
    const noise = createNoiseEstimator({ ringDegree: 1024, dataPrimes, specialPrimes: [], plainModulus: 257 });
    const zero = noise.multiplyInteger(noise.fresh("public"), 0);
    expect(noise.budget(zero)).toBe(modulusBits(dataPrimes) - 1);
    const nothing = { coefficients: new Int32Array(1024), plainModulus: 257 };
    expect(noise.budget(noise.multiplyPlain(noise.fresh("public"), nothing))).toBe(modulusBits(dataPrimes) - 1);
  });
});
