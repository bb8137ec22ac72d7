/**
 * Polynomials in RNS form. The domain (coefficients, or values at the roots: NTT) is part of the type, so that mixing them does
 * not compile. A polynomial owns one heap block of `basis.length` limbs of N words, residues in [0, p).
 *
 * Functions make a new polynomial; those named `…InPlace` change their first argument and need no memory.
 */

import type { HeapBlock } from "./heap.ts";
import { MAX_DOT_PRODUCT_TERMS } from "./kernels/kernels.ts";
import type { Basis, Ring } from "./ring.ts";

export type Domain = "coefficient" | "ntt";

export interface Polynomial<D extends Domain = Domain> {
  readonly domain: D;
  readonly ring: Ring;
  readonly basis: Basis;
  readonly block: HeapBlock;
}

/** Word offset of limb k. */
export function limbOffset({ ring, block }: Polynomial, k: number): number {
  return block.offset + k * ring.degree;
}

/** A polynomial with undefined content. */
export function allocatePolynomial<D extends Domain>(ring: Ring, basis: Basis, domain: D): Polynomial<D> {
  return { domain, ring, basis, block: ring.heap.allocate(basis.length * ring.degree, true) };
}

/** The zero polynomial. */
export function zeroPolynomial<D extends Domain>(ring: Ring, basis: Basis, domain: D): Polynomial<D> {
  const zero = allocatePolynomial(ring, basis, domain);
  ring.heap.words.fill(0, zero.block.offset, zero.block.offset + zero.block.length);
  return zero;
}

/** A copy restricted to the first `limbs` limbs (all by default): the same polynomial modulo fewer primes. */
export function copyPolynomial<D extends Domain>(
  source: Polynomial<D>,
  limbs: number = source.basis.length,
): Polynomial<D> {
  const copy = allocatePolynomial(source.ring, source.basis.slice(0, limbs), source.domain);
  source.ring.heap.words.copyWithin(copy.block.offset, source.block.offset, source.block.offset + copy.block.length);
  return copy;
}

/** The polynomial whose coefficients are the given signed integers, |value| below every prime. Length N. */
export function fromSigned(ring: Ring, basis: Basis, values: Int32Array): Polynomial<"coefficient"> {
  const polynomial = allocatePolynomial(ring, basis, "coefficient");
  for (const [k, index] of basis.entries()) {
    ring.kernels.setSigned(limbOffset(polynomial, k), values, ring.moduli[index]);
  }
  return polynomial;
}

/** Transforms in place and returns the same memory as an NTT polynomial; the argument must not be used any more. */
export function toNtt({ ring, basis, block }: Polynomial<"coefficient">): Polynomial<"ntt"> {
  ring.parallel(basis.length, (k) => ring.kernels.forwardNtt(block.offset + k * ring.degree, ring.tables[basis[k]]));
  return { domain: "ntt", ring, basis, block };
}

/** Transforms back in place and returns the same memory; the argument must not be used any more. */
export function toCoefficients({ ring, basis, block }: Polynomial<"ntt">): Polynomial<"coefficient"> {
  ring.parallel(basis.length, (k) => ring.kernels.inverseNtt(block.offset + k * ring.degree, ring.tables[basis[k]]));
  return { domain: "coefficient", ring, basis, block };
}

type LimbOperation = "add" | "subtract" | "multiply";

function combineInto(operation: LimbOperation, out: Polynomial, left: Polynomial, right: Polynomial): void {
  const { ring } = out;
  for (const [k, index] of out.basis.entries()) {
    ring.kernels[operation](
      limbOffset(out, k),
      limbOffset(left, k),
      limbOffset(right, k),
      ring.degree,
      ring.moduli[index],
    );
  }
}

function combine<D extends Domain>(operation: LimbOperation, left: Polynomial<D>, right: Polynomial<D>): Polynomial<D> {
  const out = allocatePolynomial(left.ring, left.basis, left.domain);
  combineInto(operation, out, left, right);
  return out;
}

/** left + right. `right` may have more limbs; its basis must begin with that of `left`. */
export function addPolynomials<D extends Domain>(left: Polynomial<D>, right: Polynomial<D>): Polynomial<D> {
  return combine("add", left, right);
}

/** left - right; bases as in {@link addPolynomials}. */
export function subtractPolynomials<D extends Domain>(left: Polynomial<D>, right: Polynomial<D>): Polynomial<D> {
  return combine("subtract", left, right);
}

/** left * right modulo X^N + 1; bases as in {@link addPolynomials}. */
export function multiplyPolynomials(left: Polynomial<"ntt">, right: Polynomial<"ntt">): Polynomial<"ntt"> {
  return combine("multiply", left, right);
}

/** target += right; bases as in {@link addPolynomials}. */
export function addInPlace<D extends Domain>(target: Polynomial<D>, right: Polynomial<D>): void {
  combineInto("add", target, target, right);
}

/** target -= right; bases as in {@link addPolynomials}. */
export function subtractInPlace<D extends Domain>(target: Polynomial<D>, right: Polynomial<D>): void {
  combineInto("subtract", target, target, right);
}

/** target *= right modulo X^N + 1; bases as in {@link addPolynomials}. */
export function multiplyInPlace(target: Polynomial<"ntt">, right: Polynomial<"ntt">): void {
  combineInto("multiply", target, target, right);
}

/** -source. */
export function negatePolynomial<D extends Domain>(source: Polynomial<D>): Polynomial<D> {
  const { ring, basis } = source;
  const out = allocatePolynomial(ring, basis, source.domain);
  for (const [k, index] of basis.entries()) {
    ring.kernels.negate(limbOffset(out, k), limbOffset(source, k), ring.degree, ring.moduli[index]);
  }
  return out;
}

/** target *= scalar, where `scalars[k]` is the scalar modulo the prime of limb k. */
export function multiplyScalarsInPlace(target: Polynomial, scalars: readonly number[]): void {
  const { ring, basis } = target;
  for (const [k, index] of basis.entries()) {
    const limb = limbOffset(target, k);
    ring.kernels.multiplyScalar(limb, limb, scalars[k], ring.degree, ring.moduli[index]);
  }
}

/** Two lists of polynomials to be multiplied pair by pair and summed. */
export interface Pairs {
  readonly lefts: readonly Polynomial<"ntt">[];
  readonly rights: readonly Polynomial<"ntt">[];
}

/**
 * Sum over i of lefts[i] * rights[i], for each of several lists of pairs of the same length, reduced once for every
 * {@link MAX_DOT_PRODUCT_TERMS} products. The bases of all factors must begin with `basis`, unless `rightLimbs` says which limb of a right
 * factor belongs to limb k.
 */
export function dotProducts(
  basis: Basis,
  lists: readonly Pairs[],
  rightLimbs: (k: number) => number = (k) => k,
): Polynomial<"ntt">[] {
  const { ring } = lists[0].lefts[0];
  const results = lists.map(() => allocatePolynomial(ring, basis, "ntt"));
  ring.parallel(lists.length * basis.length, (task) => {
    // Limb by limb: lists often share their right factors, which are then still at hand.
    const list = task % lists.length;
    const k = Math.floor(task / lists.length);
    const { lefts, rights } = lists[list];
    const count = Math.min(lefts.length, MAX_DOT_PRODUCT_TERMS);
    const leftOffsets = new Array<number>(count);
    const rightOffsets = new Array<number>(count);
    for (let i = 0; i < count; i++) {
      leftOffsets[i] = limbOffset(lefts[i], k);
      rightOffsets[i] = limbOffset(rights[i], rightLimbs(k));
    }
    const modulus = ring.moduli[basis[k]];
    ring.kernels.dotProduct(limbOffset(results[list], k), leftOffsets, rightOffsets, ring.degree, modulus);
  });
  if (lists[0].lefts.length > MAX_DOT_PRODUCT_TERMS) {
    const rests = lists.map(({ lefts, rights }) => ({
      lefts: lefts.slice(MAX_DOT_PRODUCT_TERMS),
      rights: rights.slice(MAX_DOT_PRODUCT_TERMS),
    }));
    for (const [i, rest] of dotProducts(basis, rests, rightLimbs).entries()) {
      addInPlace(results[i], rest);
      rest.block.free();
    }
  }
  return results;
}

/** {@link dotProducts} of one list of pairs. */
export function dotProduct(
  basis: Basis,
  lefts: readonly Polynomial<"ntt">[],
  rights: readonly Polynomial<"ntt">[],
  rightLimbs?: (k: number) => number,
): Polynomial<"ntt"> {
  return dotProducts(basis, [{ lefts, rights }], rightLimbs)[0];
}

/** The residues of limb k, copied out of the heap. */
export function readLimb(polynomial: Polynomial, k: number): Int32Array {
  const offset = limbOffset(polynomial, k);
  return polynomial.ring.heap.words.slice(offset, offset + polynomial.ring.degree);
}

/** Replaces the residues of limb k; the caller has made sure that they are in [0, p). */
export function writeLimb(polynomial: Polynomial, k: number, residues: Int32Array): void {
  polynomial.ring.heap.words.set(residues, limbOffset(polynomial, k));
}
