import { beforeAll, describe, expect, test } from "vitest";
import { expandUniform, type Polynomial, randomSeed } from "../../src/math/index.ts";
import { addComponents, type Ciphertext, freeCiphertext, subtractComponents } from "../../src/rlwe/index.ts";
import { seededRandom } from "../helpers/random.ts";
import { productOf, toBigints } from "../helpers/ring.ts";
import { createTestContext, wordsOf } from "../helpers/rlwe.ts";

const context = createTestContext({ data: [28, 28], special: [28] });
const modulus = productOf(context.ring, [0, 1]);

describe.each([
  [2, 2],
  [2, 4],
  [4, 2],
  [3, 3],
])("ciphertexts of %i and %i components", (leftCount, rightCount) => {
  let left: Ciphertext;
  let right: Ciphertext;

  beforeAll(() => {
    const random = seededRandom(leftCount * 10 + rightCount);
    const draw = (count: number): Ciphertext => ({
      context,
      components: Array.from({ length: count }, () => expandUniform(context.ring, [0, 1], randomSeed(random), 0)),
      level: 1,
    });
    [left, right] = [draw(leftCount), draw(rightCount)];
  });

  test.each([
    ["add", addComponents, (l: bigint, r: bigint) => (l + r) % modulus],
    ["subtract", subtractComponents, (l: bigint, r: bigint) => (l - r + modulus) % modulus],
  ])("%s component by component, a missing one counting as zero", (_, operation, expected) => {
    const zeros = new Array<bigint>(context.ring.degree).fill(0n);
    const coefficients = (polynomial: Polynomial | undefined) => (polynomial ? toBigints(polynomial) : zeros);
    const components = operation(left, right);
    expect(components).toHaveLength(Math.max(leftCount, rightCount));
    for (const [i, component] of components.entries()) {
      const [l, r] = [coefficients(left.components[i]), coefficients(right.components[i])];
      expect(toBigints(component)).toEqual(l.map((value, k) => expected(value, r[k]!)));
    }
  });

  test.each([
    ["add", addComponents],
    ["subtract", subtractComponents],
  ])("%s into memory of their own: freeing the result leaves the operands alone", (_, operation) => {
    const { heap } = context.ring;
    const before = [left, right].map(({ components }) => components.map(wordsOf));
    const { used } = heap.usage();
    const result: Ciphertext = { context, components: operation(left, right), level: 1 };
    freeCiphertext(result);
    expect(heap.usage().used).toBe(used);
    const scribble = heap.allocate(8 * context.ring.degree);
    heap.words.fill(-1, scribble.offset, scribble.offset + scribble.length);
    expect([left, right].map(({ components }) => components.map(wordsOf))).toEqual(before);
    scribble.free();
  });
});
