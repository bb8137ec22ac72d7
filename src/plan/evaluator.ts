/** All that a party without the secret key computes with: parameters, public keys, CKKS operations and an encoder. */

import { type CkksEvaluator, createCkksEvaluator, createEncoder, type Encoder } from "../ckks/index.ts";
import { CrcnnError } from "../errors/index.ts";
import type { EvaluationKeys, RlweContext } from "../rlwe/index.ts";
import { rotationElement } from "../rlwe/index.ts";
import type { KeyDemand, ScalePolicy } from "./schedule.ts";

export interface Evaluator {
  readonly scheme: "ckks";
  readonly context: RlweContext;
  readonly policy: ScalePolicy;
  readonly operations: CkksEvaluator;
  readonly encoder: Encoder;
  /**
   * @throws CrcnnError MISSING_KEY, one error that lists all keys of the demand that are missing or too short, with the call that makes
   * them.
   */
  requireKeys(demand: KeyDemand): void;
}

/** @param keys May be added to later by whoever made them: they are looked up at each use. */
export function createEvaluator(context: RlweContext, keys: EvaluationKeys, policy: ScalePolicy): Evaluator {
  return {
    scheme: "ckks",
    context,
    policy,
    operations: createCkksEvaluator(context, keys),
    encoder: createEncoder(context),
    requireKeys(demand) {
      const lacks = (level: number, available: number | undefined): boolean =>
        available === undefined || available < level;
      const rotations = demand.rotations.filter(({ steps, level }) =>
        lacks(level, keys.galois.get(rotationElement(context.ring.degree, steps))?.level),
      );
      const relinearization =
        demand.relinearization >= 0 && lacks(demand.relinearization, keys.relinearization?.level)
          ? demand.relinearization
          : -1;
      if (rotations.length === 0 && relinearization < 0) return;
      const steps = rotations.map((rotation) => rotation.steps).join(", ");
      const parts = [
        ...(rotations.length > 0 ? [`rotations by ${steps}`] : []),
        ...(relinearization >= 0 ? ["relinearization"] : []),
      ];
      throw new MissingKeysError(
        `keys are missing for ${parts.join(" and for ")}; the key's owner makes them with owner.addKeys(error.demand)`,
        { rotations, relinearization },
      );
    },
  };
}

/** The MISSING_KEY error of {@link Evaluator.requireKeys}, with the missing keys as data. */
export class MissingKeysError extends CrcnnError {
  /** What `owner.addKeys` takes. */
  readonly demand: KeyDemand;

  constructor(message: string, demand: KeyDemand) {
    super("MISSING_KEY", message);
    this.name = "MissingKeysError";
    this.demand = demand;
  }
}
