import { describe, expect, test } from "vitest";
import { createBfvContext, createBfvContexts, multiplyComponents, sumOfSquares } from "../../src/bfv/index.ts";
import { modCentred } from "../../src/math/bigint-ntt.ts";
import { createEngine, type Polynomial } from "../../src/math/index.ts";
import { randomBigints, seededRandom } from "../helpers/random.ts";
import { fromBigints, nttFromBigints, primesOf, productOf, toBigints } from "../helpers/ring.ts";
import { modelSquares, textbookSquares } from "./hps-model.ts";
import { bfvParameters } from "./support.ts";

const OPERANDS = 4;
// With room for fewer products there would be an auxiliary prime less.
const parameters = bfvParameters({ data: [30, 27, 26], special: [30], plain: 25 });

describe.each(["ts", "wasm"] as const)("a sum of squares on the %s backend", (backend) => {
  const context = createBfvContext(parameters, { engine: createEngine({ backend }), productTerms: 2 * OPERANDS });
  const { ring, plainModulus } = context;
  const t = BigInt(plainModulus);

  function check(values: readonly (readonly (readonly bigint[])[])[], level: number): void {
    const basis = context.dataBasis(level);
    const primes = primesOf(ring, basis);
    const auxiliary = primesOf(ring, context.productMaps(level).hps.auxiliary);
    const before = ring.heap.usage().used;
    const operands = values.map((components) =>
      components.map(
        (each, c): Polynomial => (c === 0 ? nttFromBigints(ring, basis, each) : fromBigints(ring, basis, each)),
      ),
    );
    const sum = sumOfSquares(context, operands);
    const found = sum.map(toBigints);
    expect(found).toEqual(modelSquares(values, primes, auxiliary, t));
    // Doubles decide halves, so the textbook's value may be missed by one.
    const q = productOf(ring, basis);
    const distance = textbookSquares(values, primes, t)
      .flatMap((component, c) => component.map((value, i) => modCentred(value - found[c]![i]!, q)))
      .reduce((most, each) => (each > most ? each : -each > most ? -each : most), 0n);
    expect(distance).toBeLessThanOrEqual(1n);
    for (const { block } of [...operands.flat(), ...sum]) block.free();
    expect(ring.heap.usage().used).toBe(before);
  }

  test("is the model's, bit for bit, at every level, and the textbook's", () => {
    for (const level of [2, 1]) {
      const q = productOf(ring, context.dataBasis(level));
      const random = seededRandom(level);
      const component = (): bigint[] => randomBigints(ring.degree, q, random);
      check(
        Array.from({ length: OPERANDS }, () => [component(), component()]),
        level,
      );
    }
  });

  test("has room for operands as large as can be, all of one sign", () => {
    const q = productOf(ring, context.dataBasis(2));
    // (sum of h X^i)^2 has a coefficient of N h^2 at X^(N-1).
    const largest = new Array<bigint>(ring.degree).fill((q - 1n) / 2n - (q >> 30n));
    check(
      Array.from({ length: OPERANDS }, () => [largest, largest]),
      2,
    );
  });

  test("of one operand is its square by HPS", () => {
    const basis = context.dataBasis(1);
    const q = productOf(ring, basis);
    const operand = [7, 8].map((stream) =>
      fromBigints(ring, basis, randomBigints(ring.degree, q, seededRandom(stream))),
    );
    expect(sumOfSquares(context, [operand]).map(toBigints)).toEqual(
      multiplyComponents(context, operand, operand, "hps").map(toBigints),
    );
  });
});

test("contexts of several plain moduli share a ring and differ in name", () => {
  const { plainModulus, ...shared } = parameters;
  const contexts = createBfvContexts(shared, [plainModulus, 12_289]);
  expect(contexts.map((context) => context.plainModulus)).toEqual([plainModulus, 12_289]);
  expect(contexts[0]!.ring).toBe(contexts[1]!.ring);
  expect(contexts[0]!.id).toBe(createBfvContext(parameters).id);
  expect(contexts[1]!.id).not.toBe(contexts[0]!.id);
  expect(() => createBfvContexts(shared, [plainModulus, 1])).toThrow("plainModulus must be an integer from 2");
});
