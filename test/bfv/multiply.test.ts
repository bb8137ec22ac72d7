import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type BfvCiphertext, multiplyComponents, type ProductVariant } from "../../src/bfv/index.ts";
import { multiply } from "../../src/math/bigint-ntt.ts";
import { createEngine, type Polynomial } from "../../src/math/index.ts";
import { noiseBudget } from "../../src/owner/index.ts";
import { freeCiphertext } from "../../src/rlwe/index.ts";
import { multiplyLarge } from "../helpers/big-polynomial.ts";
import { randomBigints, seededRandom } from "../helpers/random.ts";
import { fromBigints, primesOf, toBigints } from "../helpers/ring.ts";
import { modelProduct, textbookProduct } from "./hps-model.ts";
import { type BfvParty, createBfvParty, randomResidues } from "./support.ts";

const VARIANTS: readonly ProductVariant[] = ["hps", "hpsOverQ"];

const bigints = ({ components }: { readonly components: readonly Polynomial[] }): bigint[][] =>
  components.map(toBigints);

function product(
  party: BfvParty,
  left: BfvCiphertext,
  right: BfvCiphertext,
  variant?: ProductVariant,
): BfvCiphertext<"coefficient"> {
  const { context } = party;
  const { level } = left;
  return { context, level, components: multiplyComponents(context, left.components, right.components, variant) };
}

function model(party: BfvParty, variant: ProductVariant, left: BfvCiphertext, right: BfvCiphertext): bigint[][] {
  const { context } = party;
  const { auxiliary } = context.productMaps(left.level)[variant];
  return modelProduct(
    variant,
    bigints(left),
    bigints(right),
    primesOf(context.ring, context.dataBasis(left.level)),
    primesOf(context.ring, auxiliary),
    BigInt(context.plainModulus),
  );
}

test("products of huge integers are products of polynomials", () => {
  const q = 2n ** 61n - 1n;
  const [left, right] = [1, 2].map((stream) => randomBigints(32, q, seededRandom(stream))) as [bigint[], bigint[]];
  expect(multiplyLarge(left, right, q)).toEqual(multiply(left, right, q));
  const largest = new Array<bigint>(32).fill(q - 1n);
  expect(multiplyLarge(largest, largest, q)).toEqual(multiply(largest, largest, q));
});

describe.each(["ts", "wasm"] as const)("products on the %s backend", (backend) => {
  const engine = createEngine({ backend });
  const parties = [
    createBfvParty({ data: [30], special: [], plain: 14 }, { engine }),
    createBfvParty({ data: [30, 24, 27], special: [30], plain: 20 }, { engine, stream: 2 }),
    // Not a prime, and larger than a data prime.
    createBfvParty({ data: [28, 20, 30, 29, 30], special: [30], plain: 13_513_510 }, { engine, stream: 3 }),
  ];

  test.each(VARIANTS)(
    "by %s are the model's, bit for bit, at the top level and below, and for uniform operands",
    (variant) => {
      for (const party of parties) {
        const { context, evaluator, random } = party;
        const { ring } = context;
        let left: BfvCiphertext<"ntt"> = party.encrypt(randomResidues(party, random));
        let right: BfvCiphertext<"ntt"> = party.encryptPublic(randomResidues(party, random));
        for (;;) {
          expect(bigints(product(party, left, right, variant))).toEqual(model(party, variant, left, right));
          expect(bigints(product(party, left, left, variant))).toEqual(model(party, variant, left, left));
          if (left.level === 0) break;
          // Every other level: the models take most of the time.
          for (let drops = Math.min(2, left.level); drops > 0; drops--) {
            [left, right] = [evaluator.switchModulus(left), evaluator.switchModulus(right)];
          }
        }
        const { maxLevel } = context;
        const basis = context.dataBasis(maxLevel);
        const modulus = primesOf(ring, basis).reduce((total, prime) => total * prime, 1n);
        const extremes = [0n, 1n, modulus - 1n, (modulus - 1n) / 2n - modulus / 2n ** 40n];
        const uniform = (values: bigint[]): BfvCiphertext => ({
          context,
          level: maxLevel,
          components: [1, 2].map(() =>
            fromBigints(ring, basis, [...values, ...randomBigints(ring.degree - values.length, modulus, random)]),
          ),
        });
        const [x, y] = [uniform(extremes), uniform(extremes)];
        expect(bigints(product(party, x, y, variant))).toEqual(model(party, variant, x, y));
      }
    },
  );

  test.each(VARIANTS)("by %s are the textbook's, by value and by noise within a bit", (variant) => {
    for (const party of parties.slice(1)) {
      const { context, secret, random } = party;
      const t = BigInt(context.plainModulus);
      const basis = context.dataBasis(context.maxLevel);
      for (const encrypt of [party.encrypt, party.encryptPublic]) {
        const [m, n] = [randomResidues(party, random), randomResidues(party, random)];
        const [left, right] = [encrypt(m), encrypt(n)];
        const ours = product(party, left, right, variant);
        const textbook: BfvCiphertext = {
          context,
          level: context.maxLevel,
          components: textbookProduct(bigints(left), bigints(right), primesOf(context.ring, basis), t).map((values) =>
            fromBigints(context.ring, basis, values),
          ),
        };
        const expected = multiplyLarge(Array.from(m, BigInt), Array.from(n, BigInt), t).map(Number);
        expect([...party.decrypt(ours)]).toEqual(expected);
        expect([...party.decrypt(textbook)]).toEqual(expected);
        expect(Math.abs(noiseBudget(secret, ours) - noiseBudget(secret, textbook))).toBeLessThan(1);
      }
    }
  });

  test("are the same from operands in either domain, and leave them as they were", () => {
    const party = parties[1]!;
    const { evaluator, random } = party;
    const operands = [
      party.encrypt(randomResidues(party, random)),
      party.encrypt(randomResidues(party, random)),
    ] as const;
    const [x, y] = operands;
    const before = operands.map(bigints);
    const [xc, yc] = [evaluator.toCoefficients(x), evaluator.toCoefficients(y)];
    for (const variant of VARIANTS) {
      const expected = bigints(product(party, x, y, variant));
      for (const [l, r] of [
        [xc, y],
        [x, yc],
        [xc, yc],
      ] as const) {
        expect(bigints(product(party, l, r, variant))).toEqual(expected);
      }
      expect(bigints(product(party, xc, xc, variant))).toEqual(bigints(product(party, x, x, variant)));
    }
    expect(operands.map(bigints)).toEqual(before);
    expect([xc, yc].map(bigints)).toEqual(before);
  });

  test("grow by a component each where nothing is relinearized, and decrypt with the powers of s", () => {
    const party = createBfvParty({ data: [30, 30, 30, 30, 30, 30, 30], special: [], plain: 14 }, { engine });
    const { context, evaluator, random } = party;
    const t = BigInt(context.plainModulus);
    const message = randomResidues(party, random);
    const fresh = party.encrypt(message);
    let [power, expected]: [BfvCiphertext, bigint[]] = [fresh, Array.from(message, BigInt)];
    for (let components = 3; components <= 5; components++) {
      power = evaluator.multiply(power, fresh);
      expected = multiplyLarge(expected, Array.from(message, BigInt), t);
      expect(power.components).toHaveLength(components);
      expect([...party.decrypt(power)]).toEqual(expected.map(Number));
    }
    // Five components by five: more than HPS has room for, so that HPS over Q is taken.
    const wide = evaluator.square(power);
    expect(wide.components).toHaveLength(9);
    expect(bigints(wide)).toEqual(model(party, "hpsOverQ", power, power));
  });

  test("give all their memory back", () => {
    const party = parties[1]!;
    const x = party.encrypt(randomResidues(party, party.random));
    const y = party.encrypt(randomResidues(party, party.random));
    for (const variant of VARIANTS) freeCiphertext(product(party, x, y, variant));
    const { used } = engine.heap.usage();
    for (const variant of VARIANTS) {
      freeCiphertext(product(party, x, y, variant));
      freeCiphertext(product(party, x, x, variant));
    }
    freeCiphertext(party.evaluator.multiplyRelinearize(x, y));
    freeCiphertext(party.evaluator.multiplyRelinearize(x, x));
    expect(engine.heap.usage().used).toBe(used);
  });
});

test("the algorithm that costs less is chosen: over Q for products, not for squares", () => {
  const { context } = createBfvParty({
    degree: 8192,
    data: [30, 30, 30, 30, 30, 30],
    special: [30],
    plain: 20,
    security: 128,
  });
  expect(context.productMaps(5)).toMatchObject({ forProduct: "hpsOverQ", forSquare: "hps" });
});

test("uniform noise in the operands is carried to the result as to the textbook's", () => {
  const party = createBfvParty({ data: [30, 30], special: [], plain: 14 });
  const { context, secret, evaluator } = party;
  const t = BigInt(context.plainModulus);
  const basis = context.dataBasis(1);
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const random = seededRandom(seed);
      const [left, right] = [
        party.encrypt(randomResidues(party, random)),
        party.encrypt(randomResidues(party, random)),
      ];
      const ours = evaluator.multiply(left, right);
      const textbook: BfvCiphertext = {
        context,
        level: 1,
        components: textbookProduct(bigints(left), bigints(right), primesOf(context.ring, basis), t).map((values) =>
          fromBigints(context.ring, basis, values),
        ),
      };
      expect(Math.abs(noiseBudget(secret, ours) - noiseBudget(secret, textbook))).toBeLessThan(1);
      for (const each of [left, right, ours, textbook]) freeCiphertext(each);
    }),
    { numRuns: 20 },
  );
});
