/** Laps of time, and what requests came to. */

import { parseTiming } from "../protocol/index.ts";
import type { Answer } from "./transport.ts";

/** Milliseconds since the last call, or since it was made. */
export function stopwatch(): () => number {
  let start = performance.now();
  return () => {
    const elapsed = performance.now() - start;
    start += elapsed;
    return elapsed;
  };
}

/** Sums over requests. */
export interface Totals {
  readonly milliseconds: { evaluate: number; transfer: number };
  readonly bytes: { up: number; down: number };
}

/** Adds one round trip, of which the server says how long it has computed. */
export function addRoundTrip({ milliseconds, bytes }: Totals, sent: number, answer: Answer, roundTrip: number): void {
  const evaluate = Math.min(parseTiming(answer.headers.get("server-timing")) ?? roundTrip, roundTrip);
  milliseconds.evaluate += evaluate;
  milliseconds.transfer += roundTrip - evaluate;
  bytes.up += sent;
  bytes.down += answer.bytes.length;
}
