/** Key generation that leaves the event loop alive: a page can paint and a caller can cancel between two keys. */

import { throwIfAborted } from "../errors/index.ts";
import type { RandomSource } from "../math/index.ts";
import { createOwner, type KeyOwner } from "../owner/index.ts";
import type { KeyDemand, PlanManifest } from "../plan/index.ts";

export interface KeyProgress {
  readonly done: number;
  readonly total: number;
}

export interface GenerateKeysOptions {
  readonly onProgress?: ((progress: KeyProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The operating system's generator by default; another one is for tests alone. */
  readonly random?: RandomSource | undefined;
}

const NO_KEYS: KeyDemand = { rotations: [], relinearization: -1 };
/** Longest stretch without a pause, in milliseconds: a few frames. */
const STRETCH = 40;

/**
 * A key owner with all the evaluation keys of a manifest.
 *
 * @throws CrcnnError INSECURE_PARAMETERS when the manifest's parameters are not what they claim to be, ABORTED.
 */
export async function generateKeys(
  manifest: PlanManifest,
  { onProgress, signal, random }: GenerateKeysOptions = {},
): Promise<KeyOwner> {
  throwIfAborted(signal);
  const owner = await createOwner({ ...manifest, keys: NO_KEYS }, random ? { random } : {});
  const { rotations, relinearization } = manifest.keys;
  const demands: KeyDemand[] = rotations.map((rotation) => ({ ...NO_KEYS, rotations: [rotation] }));
  if (relinearization >= 0) demands.unshift({ ...NO_KEYS, relinearization });
  try {
    let paused = performance.now();
    for (const [i, demand] of demands.entries()) {
      owner.addKeys(demand);
      onProgress?.({ done: i + 1, total: demands.length });
      if (performance.now() - paused < STRETCH) continue;
      await new Promise((resolve) => setTimeout(resolve));
      throwIfAborted(signal);
      paused = performance.now();
    }
  } catch (error) {
    owner.destroy();
    throw error;
  }
  return owner;
}
