/** What a client must know to use a network that was compiled for batches. Plain data; it holds no weights. */

import type { RlweParameters } from "../../rlwe/index.ts";
import type { OwnerLayer } from "../manifest.ts";
import type { KeyDemand, ScalePolicy } from "../schedule.ts";
import type { Shape } from "../tensor.ts";
import type { BatchInput } from "./ckks.ts";

/** One stretch of a network that runs without the key's owner. */
export interface BatchSegment extends BatchInput {
  /** SHA-256 of the segment's plan. */
  readonly hash: string;
  readonly inputShape: Shape;
  /** Values that images may have; others are refused. */
  readonly range: readonly [low: number, high: number] | undefined;
  readonly outputShape: Shape;
  readonly outputLevel: number;
  readonly outputScale: number;
  readonly outputComponents: number;
  /** As in the manifest of a plan for single images. */
  readonly ownerLayers: readonly OwnerLayer[];
  /** Largest error that is expected of an output, in its own units. */
  readonly expectedError: number;
}

export interface BatchManifest {
  readonly scheme: "ckks";
  readonly packing: "batch";
  readonly parameters: RlweParameters;
  readonly policy: ScalePolicy;
  readonly keys: KeyDemand;
  readonly segments: readonly BatchSegment[];
  /** Images in one batch at most: N / 2. */
  readonly capacity: number;
}
