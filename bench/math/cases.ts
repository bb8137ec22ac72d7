/** Every kernel, with what plain big integers say that it must yield. */

import { automorphismPermutation, reverseBits } from "crcnn/math";
import { mod, modCentred, power } from "crcnn/math/bigint-ntt";
import { RING_DEGREE, type Stage } from "./stage.ts";

export interface KernelCase {
  readonly name: string;
  /** Limbs that it reads and writes, tables included. */
  readonly limbs: number;
  /** Transforms work in place, on input 0. */
  readonly inPlace?: boolean;
  run(stage: Stage): void;
  /** Throws unless `output` is right. */
  check(stage: Stage, inputs: (index: number) => bigint[], output: bigint[]): void;
}

/** Products in a key switch at the top level of the benchmarked chain: one a digit. */
const DOT_PRODUCT_TERMS = 6;
const GALOIS_ELEMENT = 5;
const SCALAR = 123_456_789;
const PERMUTATION = automorphismPermutation(RING_DEGREE, GALOIS_ELEMENT);
const ERRORS = Int32Array.from({ length: RING_DEGREE }, (_, i) => (i % 43) - 21);

/** Checks all coefficients modulo the first prime. */
const everywhere =
  (expected: (stage: Stage, inputs: (index: number) => bigint[], i: number) => bigint): KernelCase["check"] =>
  (stage, inputs, output) => {
    const p = BigInt(stage.ring.moduli[0]!.value);
    for (let i = 0; i < RING_DEGREE; i++) {
      const value = mod(expected(stage, inputs, i), p);
      if (output[i] !== value) throw new Error(`coefficient ${i} is ${output[i]}, expected ${value}`);
    }
  };

/** Entry i of a transform is the polynomial at root^(2 reverseBits(i) + 1); checked at a few entries from all over. */
function requireTransform({ ring }: Stage, coefficients: bigint[], values: bigint[]): void {
  const { root, modulus } = ring.tables[0]!;
  const p = BigInt(modulus.value);
  for (let i = 1; i < RING_DEGREE; i += 511) {
    const point = power(BigInt(root), BigInt(2 * reverseBits(i, Math.log2(RING_DEGREE)) + 1), p);
    const value = coefficients.reduceRight((sum, coefficient) => mod(sum * point + coefficient, p), 0n);
    if (values[i] !== value) throw new Error(`entry ${i} is ${values[i]}, expected ${value}`);
  }
}

/** The integer with these mixed-radix digits modulo the primes 1 … count, centred. */
function centred({ ring }: Stage, inputs: (index: number) => bigint[], count: number, i: number): bigint {
  const primes = ring.moduli.slice(1, count + 1).map(({ value }) => BigInt(value));
  return primes.reduceRight((rest, prime, j) => rest * prime + modCentred(inputs(j + 1)[i]!, prime), 0n);
}

const list = (length: number, at: (index: number) => number): number[] => Array.from({ length }, (_, i) => at(i));

export const KERNEL_CASES: readonly KernelCase[] = [
  {
    name: "kernel/ntt-forward",
    limbs: 4,
    inPlace: true,
    run: ({ kernels, input, ring }) => kernels.forwardNtt(input(0), ring.tables[0]!),
    check: (stage, inputs, output) => requireTransform(stage, inputs(0), output),
  },
  {
    name: "kernel/ntt-inverse",
    limbs: 4,
    inPlace: true,
    run: ({ kernels, input, ring }) => kernels.inverseNtt(input(0), ring.tables[0]!),
    check: (stage, inputs, output) => requireTransform(stage, output, inputs(0)),
  },
  {
    name: "kernel/add",
    limbs: 3,
    run: ({ kernels, input, output, ring }) => kernels.add(output, input(0), input(1), RING_DEGREE, ring.moduli[0]!),
    check: everywhere((_, inputs, i) => inputs(0)[i]! + inputs(1)[i]!),
  },
  {
    name: "kernel/subtract",
    limbs: 3,
    run: ({ kernels, input, output, ring }) =>
      kernels.subtract(output, input(0), input(1), RING_DEGREE, ring.moduli[0]!),
    check: everywhere((_, inputs, i) => inputs(0)[i]! - inputs(1)[i]!),
  },
  {
    name: "kernel/negate",
    limbs: 2,
    run: ({ kernels, input, output, ring }) => kernels.negate(output, input(0), RING_DEGREE, ring.moduli[0]!),
    check: everywhere((_, inputs, i) => -inputs(0)[i]!),
  },
  {
    name: "kernel/multiply",
    limbs: 3,
    run: ({ kernels, input, output, ring }) =>
      kernels.multiply(output, input(0), input(1), RING_DEGREE, ring.moduli[0]!),
    check: everywhere((_, inputs, i) => inputs(0)[i]! * inputs(1)[i]!),
  },
  {
    name: "kernel/multiply-scalar",
    limbs: 2,
    run: ({ kernels, input, output, ring }) =>
      kernels.multiplyScalar(output, input(0), SCALAR, RING_DEGREE, ring.moduli[0]!),
    check: everywhere((_, inputs, i) => inputs(0)[i]! * BigInt(SCALAR)),
  },
  {
    name: "kernel/subtract-multiply-scalar",
    limbs: 3,
    run: ({ kernels, input, output, ring }) =>
      kernels.subtractMultiplyScalar(output, input(0), input(1), SCALAR, RING_DEGREE, ring.moduli[0]!),
    check: everywhere((_, inputs, i) => (inputs(0)[i]! - inputs(1)[i]!) * BigInt(SCALAR)),
  },
  {
    name: `kernel/dot-product-${DOT_PRODUCT_TERMS}`,
    limbs: 2 * DOT_PRODUCT_TERMS + 1,
    run: ({ kernels, input, output, ring }) =>
      kernels.dotProduct(
        output,
        list(DOT_PRODUCT_TERMS, (k) => input(k)),
        list(DOT_PRODUCT_TERMS, (k) => input(DOT_PRODUCT_TERMS + k)),
        RING_DEGREE,
        ring.moduli[0]!,
      ),
    check: everywhere((_, inputs, i) =>
      list(DOT_PRODUCT_TERMS, (k) => k).reduce((sum, k) => sum + inputs(k)[i]! * inputs(DOT_PRODUCT_TERMS + k)[i]!, 0n),
    ),
  },
  {
    name: `kernel/dot-product-pair-${DOT_PRODUCT_TERMS}`,
    limbs: 3 * DOT_PRODUCT_TERMS + 2,
    run: ({ kernels, input, output, ring }) =>
      kernels.dotProductPair(
        [output, input(3 * DOT_PRODUCT_TERMS)],
        [list(DOT_PRODUCT_TERMS, (k) => input(k)), list(DOT_PRODUCT_TERMS, (k) => input(DOT_PRODUCT_TERMS + k))],
        list(DOT_PRODUCT_TERMS, (k) => input(2 * DOT_PRODUCT_TERMS + k)),
        RING_DEGREE,
        ring.moduli[0]!,
      ),
    check: everywhere((_, inputs, i) =>
      list(DOT_PRODUCT_TERMS, (k) => k).reduce(
        (sum, k) => sum + inputs(k)[i]! * inputs(2 * DOT_PRODUCT_TERMS + k)[i]!,
        0n,
      ),
    ),
  },
  ...[1, 2].map((count) => ({
    name: `kernel/lift-digits-${count}`,
    limbs: count + 1,
    run: ({ kernels, input, output, ring }: Stage) =>
      kernels.liftDigits(
        output,
        // Not input 0, where transforms leave residues of a larger prime.
        list(count, (j) => input(j + 1)),
        RING_DEGREE,
        ring.lift(
          list(count, (j) => j + 1),
          0,
        ),
      ),
    check: everywhere((stage, inputs, i) => centred(stage, inputs, count, i)),
  })),
  {
    name: "kernel/permute",
    limbs: 3,
    run: ({ kernels, input, output }) => kernels.permute(output, input(0), PERMUTATION),
    check: everywhere((_, inputs, i) => inputs(0)[PERMUTATION[i]!]!),
  },
  {
    name: "kernel/set-signed",
    limbs: 2,
    run: ({ kernels, output, ring }) => kernels.setSigned(output, ERRORS, ring.moduli[0]!),
    check: everywhere((_stage, _inputs, i) => BigInt(ERRORS[i]!)),
  },
];
