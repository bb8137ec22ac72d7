/** What one server may be made to hold. */

import { MAX_COMPUTE_BYTES } from "../protocol/index.ts";

export interface ServerLimits {
  /** Sessions at a time, those that are still sending their keys included. */
  readonly sessions: number;
  /** Compiled plans that are kept; the one that was not used for longest goes first. */
  readonly plans: number;
  /** Most bytes of one session's evaluation keys on the wire; they take about 2.3 times as much in memory. */
  readonly keyBytes: number;
  /**
   * Most bytes that the encoded weights of plans take in each thread that computes. Beyond it those of plans without a session are given
   * up first, then those that were not used for longest; they are encoded again at need. A plan that is larger by itself is kept alone.
   */
  readonly encodedBytes: number;
  /** Requests that wait for a thread to compute them; more are refused with BUSY. */
  readonly queue: number;
  /** A session that is not used for this long ends, an answer that is not read for this long is given up. */
  readonly idleMilliseconds: number;
  /** Most bytes of a body with layers to compute, and of its answer. While it is worked on, it takes about six times as much in memory. */
  readonly computeBytes: number;
  /** Such requests at a time, those that are still being received or answered included; more are refused with BUSY. */
  readonly computeRequests: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  sessions: 8,
  plans: 16,
  keyBytes: 2 ** 29,
  encodedBytes: 2 ** 28,
  queue: 32,
  idleMilliseconds: 10 * 60 * 1000,
  computeBytes: MAX_COMPUTE_BYTES,
  computeRequests: 8,
};

/** @throws RangeError naming the limit that is no positive integer. */
export function resolveLimits(limits: Partial<ServerLimits>): ServerLimits {
  const resolved = { ...DEFAULT_LIMITS, ...limits };
  for (const [name, value] of Object.entries(resolved)) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new RangeError(`limits.${name} must be a positive integer, got ${value}`);
  }
  return resolved;
}
