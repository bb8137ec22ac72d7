/**
 * A network lowered onto slots, before it becomes a Plan: for each stage, the diagonals of a sparse affine map arranged for
 * baby steps and giant steps (Halevi and Shoup, "Faster homomorphic linear transformations in HElib", CRYPTO 2018), then folds.
 *
 *   z = sum over giants g of rotate( sum over that giant's terms of weights * rotate(input[ciphertext], baby), g )
 *   folds, one after the other: for each round, z = sum over steps f of the round (0 included) of rotate(z, f)
 *   y = z + bias
 *
 * rotate(x, k)[t] = x[(t + k) mod slots]. Slots that hold no output element may hold anything.
 */

import type { InputPacking, Layout } from "./layout.ts";

export interface DiagonalTerm {
  /** Which input ciphertext. */
  readonly input: number;
  /** Rotation applied to that ciphertext, 0 … slots - 1. */
  readonly baby: number;
  /** `slots` values, multiplied slot by slot (already shifted by the giant step). */
  readonly weights: Float64Array;
}

export interface GiantStep {
  /** Rotation applied to the sum of the terms, 0 … slots - 1. */
  readonly giant: number;
  readonly terms: readonly DiagonalTerm[];
}

/** What a stage of any kind has. */
interface StagePlace {
  /** First and last source layer that the stage computes (0-based, inclusive). */
  readonly layers: readonly [first: number, last: number];
  /** What it reads: 0 is the network's input, k the result of the k-th stage, counted from 1. Only an affine stage reads several. */
  readonly sources: readonly number[];
}

/** A group of neighbouring affine layers, lowered. One level is consumed: products are rescaled once, before or after folds. */
export interface LoweredAffine extends StagePlace {
  readonly kind: "affine";
  /** Of all sources together: their elements and their ciphertexts, one source after the other. */
  readonly input: Layout;
  readonly output: Layout;
  /** By output ciphertext. */
  readonly transforms: readonly (readonly GiantStep[])[];
  /** Rounds of folding, each a list of rotation steps without 0: [[64], [128, 256, 384]] is a radix-2 and a radix-4 round. */
  readonly folds: readonly (readonly number[])[];
  /** By output ciphertext, `slots` values; bias on every replica, zero elsewhere. */
  readonly bias: readonly Float64Array[];
}

/** A pool whose weights are all equal: a sum of rotations, no multiplication and no level. Values come out `factor` times too large. */
export interface LoweredPool extends StagePlace {
  readonly kind: "pool";
  readonly input: Layout;
  readonly output: Layout;
  /** By output ciphertext: the input ciphertexts that are added first. */
  readonly sums: readonly (readonly number[])[];
  readonly folds: readonly (readonly number[])[];
  /** By output ciphertext, as of a {@link LoweredAffine}, and as many times too large as the values. */
  readonly bias: readonly Float64Array[];
  /** True value = slot value / factor. Later stages have it taken into their weights (squared at a square). */
  readonly factor: number;
}

export interface LoweredSquare extends StagePlace {
  readonly kind: "square";
  readonly layout: Layout;
}

export type LoweredStage = LoweredAffine | LoweredPool | LoweredSquare;

export interface LoweredNetwork {
  readonly slots: number;
  readonly input: InputPacking;
  /** In an order in which they can run; the last one gives the output. */
  readonly stages: readonly LoweredStage[];
  readonly output: Layout;
  /** True output = slot value / factor (not 1 only when the network ends in a pool). */
  readonly outputFactor: number;
}
