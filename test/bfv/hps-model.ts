/**
 * The product of BFV ciphertexts with BigInt: the textbook's, and step by step that of the two RNS algorithms. The models take nothing from
 * the code but which primes are used: integers are exact, and what the algorithms do in doubles is done in doubles here.
 */

import type { ProductVariant } from "../../src/bfv/index.ts";
import { divideRound, invert, mod, modCentred } from "../../src/math/bigint-ntt.ts";
import { multiplyLarge } from "../helpers/big-polynomial.ts";

type Coefficients = readonly bigint[];

const productOf = (primes: readonly bigint[]): bigint => primes.reduce((product, prime) => product * prime, 1n);

/** Sums of products of components whose indices add up alike, modulo q. */
function tensor(left: readonly Coefficients[], right: readonly Coefficients[], q: bigint): bigint[][] {
  return Array.from({ length: left.length + right.length - 1 }, (_, c) =>
    left
      .map((a, i) => ({ a, b: right[c - i] }))
      .flatMap(({ a, b }) => (b ? [multiplyLarge(a, b, q)] : []))
      .reduce((sum, product) => sum.map((value, i) => mod(value + product[i]!, q))),
  );
}

/** round(t/Q times the product of centred components) modulo Q, without a rounding anywhere else. */
export function textbookProduct(
  left: readonly Coefficients[],
  right: readonly Coefficients[],
  primes: readonly bigint[],
  t: bigint,
): bigint[][] {
  const q = productOf(primes);
  const room = 8n * BigInt(left[0]!.length) * q * q;
  const centred = (component: Coefficients): bigint[] => component.map((value) => mod(modCentred(value, q), room));
  return tensor(left.map(centred), right.map(centred), room).map((component) =>
    component.map((value) => mod(divideRound(t * modCentred(value, room), q), q)),
  );
}

interface Parts {
  readonly ys: readonly bigint[];
  readonly v: bigint;
}

/** The y_j of a value, and a sum of them with real factors, rounded. */
function partsOf(sources: readonly bigint[], whole: bigint, factors: readonly number[]): (x: bigint) => Parts {
  const inverses = sources.map((prime) => invert(whole / prime, prime));
  return (x) => {
    const ys = sources.map((prime, j) => mod(x * inverses[j]!, prime));
    return { ys, v: BigInt(Math.floor(ys.reduce((sum, y, j) => sum + Number(y) * factors[j]!, 0.5))) };
  };
}

/** CT-RSA 2019, section 2.2: x - v M with v = round(sum of y_j / m_j), modulo the target's product. */
function lift(component: Coefficients, sources: readonly bigint[], targets: readonly bigint[]): bigint[] {
  const whole = productOf(sources);
  const target = productOf(targets);
  const factors = sources.map((prime) => 1 / Number(prime));
  const parts = partsOf(sources, whole, factors);
  return component.map((x) => {
    const { ys, v } = parts(x);
    return mod(
      ys.reduce((sum, y, j) => sum + y * (whole / sources[j]!), -v * whole),
      target,
    );
  });
}

/** CT-RSA 2019, section 2.3: round(factor T x / M) modulo T, M = D for x modulo D, or DT for x modulo DT. */
function scale(
  component: Coefficients,
  divisors: readonly bigint[],
  targets: readonly bigint[],
  factor: bigint,
  own: boolean,
): bigint[] {
  const divisor = productOf(divisors);
  const target = productOf(targets);
  const numerator = factor * target;
  const factors = divisors.map((prime) => Number(numerator % prime) / Number(prime));
  const parts = partsOf(divisors, own ? divisor * target : divisor, factors);
  const ownWeight = own ? factor * invert(divisor, target) : 0n;
  return component.map((x) => {
    const { ys, v } = parts(x);
    const fromOwn = x * ownWeight;
    return mod(
      ys.reduce((sum, y, j) => sum + y * (numerator / divisors[j]!), v + fromOwn),
      target,
    );
  });
}

/** The value modulo qr with given values modulo q and r. */
function join(data: Coefficients, q: bigint, other: Coefficients, r: bigint): bigint[] {
  const inverse = invert(q, r);
  return data.map((value, i) => value + q * mod((other[i]! - value) * inverse, r));
}

/** The algorithm in BigInt; bit for bit what the kernels compute. */
export function modelProduct(
  variant: ProductVariant,
  left: readonly Coefficients[],
  right: readonly Coefficients[],
  primes: readonly bigint[],
  auxiliary: readonly bigint[],
  t: bigint,
): bigint[][] {
  const [q, r] = [productOf(primes), productOf(auxiliary)];
  const lifted = (component: Coefficients): bigint[] => join(component, q, lift(component, primes, auxiliary), r);
  if (variant === "hps") {
    return tensor(left.map(lifted), right.map(lifted), q * r).map((component) =>
      lift(scale(component, primes, auxiliary, t, true), auxiliary, primes),
    );
  }
  const scaled = (component: Coefficients): bigint[] => {
    const quotient = scale(component, primes, auxiliary, 1n, false);
    return join(lift(quotient, auxiliary, primes), q, quotient, r);
  };
  return tensor(left.map(lifted), right.map(scaled), q * r).map((component) =>
    scale(component, auxiliary, primes, t, true),
  );
}

/** A sum of squares by HPS, scaled once. */
export function modelSquares(
  operands: readonly (readonly Coefficients[])[],
  primes: readonly bigint[],
  auxiliary: readonly bigint[],
  t: bigint,
): bigint[][] {
  const [q, r] = [productOf(primes), productOf(auxiliary)];
  const lifted = (component: Coefficients): bigint[] => join(component, q, lift(component, primes, auxiliary), r);
  const squares = operands.map((operand) => {
    const components = operand.map(lifted);
    return tensor(components, components, q * r);
  });
  return squares
    .reduce((sum, square) => sum.map((component, c) => component.map((x, i) => mod(x + square[c]![i]!, q * r))))
    .map((component) => lift(scale(component, primes, auxiliary, t, true), auxiliary, primes));
}

/** round(t/Q times the sum of the squares of centred components) modulo Q. */
export function textbookSquares(
  operands: readonly (readonly Coefficients[])[],
  primes: readonly bigint[],
  t: bigint,
): bigint[][] {
  const q = productOf(primes);
  const room = 8n * BigInt(operands.length * operands[0]![0]!.length) * q * q;
  const squares = operands.map((operand) => {
    const centred = operand.map((component) => component.map((value) => mod(modCentred(value, q), room)));
    return tensor(centred, centred, room);
  });
  return squares
    .reduce((sum, square) => sum.map((component, c) => component.map((x, i) => mod(x + square[c]![i]!, room))))
    .map((component) => component.map((value) => mod(divideRound(t * modCentred(value, room), q), q)));
}
