/** What a client must know to use a network that was compiled for integers: BFV in batch packing. Plain data; it holds no weights. */

import type { RlweParameters } from "../../../rlwe/index.ts";
import type { KeyDemand } from "../../schedule.ts";
import type { Shape } from "../../tensor.ts";
import type { IntegerInput } from "./plan.ts";

/** One stretch of a network that runs without the key's owner. */
export interface IntegerSegment extends IntegerInput {
  /** SHA-256 of the segment's plan. */
  readonly hash: string;
  readonly inputShape: Shape;
  /** Values that images may have; others are refused, since nothing is proven for them. */
  readonly range: readonly [low: number, high: number];
  readonly outputShape: Shape;
  readonly outputLevel: number;
  /** Outputs are the integers divided by this. */
  readonly outputScale: number;
  readonly outputComponents: number;
  /** Between these all output integers are for inputs in the range, in decimal: proven, and fewer than the product of the plain moduli. */
  readonly outputBounds: readonly [low: string, high: string];
}

export interface IntegerManifest {
  readonly scheme: "bfv";
  readonly packing: "batch";
  readonly parameters: RlweParameters;
  /** Primes; each takes an evaluation of its own, under the same keys. */
  readonly plainModuli: readonly number[];
  /** Products that the evaluator sums before one scaling. */
  readonly productTerms: number;
  readonly keys: KeyDemand;
  readonly segments: readonly IntegerSegment[];
  /** Images in one batch at most: N. */
  readonly capacity: number;
}
