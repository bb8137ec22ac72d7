import { describe, expect, test } from "vitest";
import { mod, multiply } from "../../src/math/bigint-ntt.ts";
import {
  addInPlace,
  addPolynomials,
  copyPolynomial,
  dotProduct,
  fromSigned,
  limbOffset,
  MAX_DOT_PRODUCT_TERMS,
  multiplyInPlace,
  multiplyPolynomials,
  multiplyScalarsInPlace,
  negatePolynomial,
  type Polynomial,
  readLimb,
  subtractInPlace,
  subtractPolynomials,
  toCoefficients,
  toNtt,
  writeLimb,
  zeroPolynomial,
} from "../../src/math/index.ts";
import { randomBigints, seededRandom } from "../helpers/random.ts";
import { createTestRing, fromBigints, nttFromBigints, primesOf, productOf, toBigints } from "../helpers/ring.ts";

const DEGREE = 1024;
const ring = createTestRing(DEGREE, [30, 30, 25, 20]);
const basis = [0, 1, 2];
const Q = productOf(ring, basis);
const random = seededRandom(20);
const left = randomBigints(DEGREE, Q, random);
const right = randomBigints(DEGREE, Q, random);
const modQ = (values: readonly bigint[], q = Q): bigint[] => values.map((value) => mod(value, q));
const limbs = (polynomial: Polynomial) => polynomial.basis.map((_, k) => readLimb(polynomial, k));

describe("polynomials in RNS form equal BigInt polynomials", () => {
  test("signed coefficients, there and back through the transform", () => {
    const values = Int32Array.from({ length: DEGREE }, (_, i) => (i % 2 === 0 ? i : -i));
    const polynomial = fromSigned(ring, [3, 0, 2], values);
    const expected = modQ(Array.from(values, BigInt), productOf(ring, [3, 0, 2]));
    expect(toBigints(polynomial)).toEqual(expected);
    const transformed = toNtt(polynomial);
    expect(transformed.domain).toBe("ntt");
    expect(transformed.block).toBe(polynomial.block);
    expect(toBigints(transformed)).toEqual(expected);
    const back = toCoefficients(transformed);
    expect(back.domain).toBe("coefficient");
    expect(toBigints(back)).toEqual(expected);
  });

  test.each(["coefficient", "ntt"])("add, subtract and negate in the %s domain", (domain) => {
    const make = (values: readonly bigint[]): Polynomial =>
      domain === "ntt" ? nttFromBigints(ring, basis, values) : fromBigints(ring, basis, values);
    const [a, b] = [make(left), make(right)];
    const sum = addPolynomials(a, b);
    const difference = subtractPolynomials(a, b);
    expect(toBigints(sum)).toEqual(modQ(left.map((value, i) => value + right[i])));
    expect(toBigints(difference)).toEqual(modQ(left.map((value, i) => value - right[i])));
    expect(toBigints(negatePolynomial(a))).toEqual(modQ(left.map((value) => -value)));
    expect([sum.domain, sum.basis]).toEqual([domain, basis]);
    // The operands are as they were.
    expect([toBigints(a), toBigints(b)]).toEqual([left, right]);
    addInPlace(a, b);
    expect(limbs(a)).toEqual(limbs(sum));
    subtractInPlace(a, b);
    subtractInPlace(a, b);
    expect(limbs(a)).toEqual(limbs(difference));
  });

  test("products modulo X^N + 1", () => {
    const expected = multiply(left, right, Q);
    const [a, b] = [nttFromBigints(ring, basis, left), nttFromBigints(ring, basis, right)];
    expect(toBigints(multiplyPolynomials(a, b))).toEqual(expected);
    multiplyInPlace(a, b);
    expect(toBigints(a)).toEqual(expected);
  });

  test("products with a scalar for each prime", () => {
    const scalar = 123_456_789_012_345n;
    const scalars = primesOf(ring, basis).map((prime) => Number(scalar % prime));
    const polynomial = nttFromBigints(ring, basis, left);
    multiplyScalarsInPlace(polynomial, scalars);
    expect(toBigints(polynomial)).toEqual(modQ(left.map((value) => value * scalar)));
  });

  test("the right operand may have more limbs", () => {
    const [a, b] = [nttFromBigints(ring, [0, 1], left), nttFromBigints(ring, basis, right)];
    const q = productOf(ring, [0, 1]);
    expect(toBigints(addPolynomials(a, b))).toEqual(
      modQ(
        left.map((value, i) => value + right[i]),
        q,
      ),
    );
    subtractInPlace(a, b);
    expect(toBigints(a)).toEqual(
      modQ(
        left.map((value, i) => value - right[i]),
        q,
      ),
    );
    expect(toBigints(b)).toEqual(right);
  });

  test("a copy of the first limbs is the polynomial modulo fewer primes, in memory of its own", () => {
    const source = nttFromBigints(ring, basis, left);
    const prefix = copyPolynomial(source, 2);
    expect(prefix.basis).toEqual([0, 1]);
    expect(prefix.block.length).toBe(2 * DEGREE);
    expect(toBigints(prefix)).toEqual(modQ(left, productOf(ring, [0, 1])));
    const whole = copyPolynomial(source);
    multiplyScalarsInPlace(source, [0, 0, 0]);
    expect(toBigints(whole)).toEqual(left);
  });

  test("zero is zero in memory that was used before", () => {
    const used = fromBigints(ring, basis, new Array(DEGREE).fill(-1n));
    const { offset } = used.block;
    used.block.free();
    const zero = zeroPolynomial(ring, basis, "ntt");
    // In the same extent, if not at the same word of it.
    expect(Math.abs(zero.block.offset - offset)).toBeLessThan(1024);
    expect(limbs(zero)).toEqual(basis.map(() => new Int32Array(DEGREE)));
  });

  test("limbs are consecutive, and read limbs are copies", () => {
    const polynomial = fromBigints(ring, basis, left);
    expect(basis.map((_, k) => limbOffset(polynomial, k) - polynomial.block.offset)).toEqual([0, DEGREE, 2 * DEGREE]);
    const limb = readLimb(polynomial, 1);
    writeLimb(polynomial, 1, new Int32Array(DEGREE));
    expect(limb).toEqual(Int32Array.from(left, (value) => Number(value % BigInt(ring.moduli[1].value))));
    expect(readLimb(polynomial, 1)).toEqual(new Int32Array(DEGREE));
    expect(readLimb(polynomial, 2)).toEqual(Int32Array.from(left, (x) => Number(x % BigInt(ring.moduli[2].value))));
  });
});

describe("dotProduct", () => {
  test("is the sum of products", () => {
    // Sparse factors keep the oracle's part short.
    const sparse = (exponent: number, value: bigint) => {
      const coefficients = new Array<bigint>(DEGREE).fill(0n);
      coefficients[exponent] = value;
      return coefficients;
    };
    const lefts = Array.from({ length: 6 }, (_, i) => sparse(170 * i, Q - 1n - BigInt(i)));
    const rights = Array.from({ length: 6 }, () => randomBigints(DEGREE, Q, random));
    const expected = new Array<bigint>(DEGREE).fill(0n);
    for (const [i, factor] of lefts.entries()) {
      for (const [j, value] of rights[i].entries()) {
        const target = j + 170 * i;
        expected[target % DEGREE] += (target >= DEGREE ? -value : value) * factor[170 * i];
      }
    }
    const sum = dotProduct(
      basis,
      lefts.map((values) => nttFromBigints(ring, basis, values)),
      rights.map((values) => nttFromBigints(ring, basis, values)),
    );
    expect(sum.basis).toEqual(basis);
    expect(toBigints(sum)).toEqual(modQ(expected));
  });

  test("takes fewer limbs than the factors have, and right limbs from elsewhere", () => {
    const full = [0, 1, 2, 3];
    const a = nttFromBigints(ring, [0, 3], left);
    const b = nttFromBigints(ring, full, right);
    const sum = dotProduct([0, 3], [a, a], [b, b], (k) => [0, 3][k]);
    const q = productOf(ring, [0, 3]);
    const twice = multiply(modQ(left, q), modQ(right, q), q).map((value) => 2n * value);
    expect(toBigints(sum)).toEqual(modQ(twice, q));
    const short = dotProduct([0], [nttFromBigints(ring, full, left)], [b]);
    const [p] = primesOf(ring, [0]);
    expect(toBigints(short)).toEqual(multiply(modQ(left, p), modQ(right, p), p));
  });

  test(`holds ${MAX_DOT_PRODUCT_TERMS} terms of p - 1`, () => {
    const top = nttFromBigints(ring, basis, [-1n, ...new Array<bigint>(DEGREE - 1).fill(0n)]);
    const terms = new Array<Polynomial<"ntt">>(MAX_DOT_PRODUCT_TERMS).fill(top);
    const expected = new Array<bigint>(DEGREE).fill(0n);
    expected[0] = BigInt(MAX_DOT_PRODUCT_TERMS);
    expect(toBigints(dotProduct(basis, terms, terms))).toEqual(expected);
  });
});
