/** The error of a search that found no parameters, and what it came closest to. */

import { CrcnnError } from "../errors/index.ts";
import { formatShape } from "../plan/index.ts";
import type { ResolvedOptions } from "./compile-options.ts";

/** What no parameters were better than. */
export interface Closest {
  /** Predicted, relative to the largest output. */
  readonly error: number;
  readonly ringDegree: number;
}

/** What the search came closest to, where `error` is one of {@link noParameters} and some parameters hold the network's values. */
export function closestOf(error: unknown): Closest | undefined {
  return error instanceof CrcnnError && error.code === "NO_PARAMETERS"
    ? (error.cause as Closest | undefined)
    : undefined;
}

/** @param closest The least error that was predicted, or undefined where no parameters hold the network's values. */
export function noParameters(
  { inputShape, precision, security }: Pick<ResolvedOptions, "inputShape" | "precision" | "security">,
  closest: Closest | undefined,
  largestOutput: number,
): CrcnnError {
  const wanted = `for an input of ${formatShape(inputShape)} at ${security}-bit security`;
  return new CrcnnError(
    "NO_PARAMETERS",
    closest
      ? `no parameters reach a precision of ${precision} ${wanted} (closest: ${closest.error.toExponential(1)} at N = ${closest.ringDegree}); ` +
          "set a re-encryption position in the middle of the network, or ask for less precision"
      : `no parameters hold the network's values ${wanted}: it is too deep, or its values are too large (outputs reach ` +
          `${largestOutput.toExponential(1)}); set a re-encryption position in the middle of the network, or scale inputs or weights down`,
    { cause: closest },
  );
}
