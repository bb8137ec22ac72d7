/** Timing two functions against each other in one process, after their answers have been checked. */

import { Bench } from "tinybench";

/** Something of ours beside a yardstick. */
export interface Case {
  /** `scheme/operation`. */
  readonly name: string;
  /** Starts with the ring degree. */
  readonly params: string;
  readonly ours: () => void;
  /** How many operations one call of ours stands for, where it does several at once: the figure is that of one. */
  readonly per?: number;
  /** What the yardstick is. */
  readonly peer: string;
  readonly theirs: () => void;
  /** Throws where an answer, ours or the peer's, is not what plain arithmetic says. Called once, before anything is timed. */
  readonly verify: () => void;
  /** Estimate of the bytes that ours reads and writes. */
  readonly bytes?: number;
}

/** A line of `results.json`. */
export interface Row {
  readonly name: string;
  readonly params: string;
  readonly micros: number;
  readonly peer: string;
  readonly peerMicros: number;
  /** peerMicros / micros: above 1 where ours is faster. */
  readonly ratio: number;
  readonly bytes?: number;
}

export interface Effort {
  /** Milliseconds for each of the two functions. */
  readonly time: number;
  /** Turns that the two take: what else the machine does then falls on both. */
  readonly rounds: number;
}

export const FULL: Effort = { time: 1500, rounds: 6 };
export const QUICK: Effort = { time: 120, rounds: 2 };

/** Calls of each function in each round, at least. */
const MINIMUM_CALLS = 2;

/**
 * Checks, then times in turns. The figures are lower quartiles over the calls of all rounds: what a call takes when nothing else wants the
 * processor, without being the luckiest one.
 */
export function measure(
  { name, params, ours, per = 1, peer, theirs, verify, bytes }: Case,
  { time, rounds }: Effort,
): Row {
  try {
    verify();
  } catch (error) {
    throw new Error(`${name} (${params}) gives a wrong answer, so it is not timed`, { cause: error });
  }
  const samples = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({
      time: time / rounds,
      iterations: MINIMUM_CALLS,
      warmup: round === 0,
      warmupTime: time / 8,
      warmupIterations: MINIMUM_CALLS,
      retainSamples: true,
      throws: true,
    });
    bench.add("ours", ours).add("theirs", theirs).runSync();
    for (const task of bench.tasks) {
      const { result } = task;
      if (!("latency" in result) || !result.latency.samples) throw new Error(`${name}: ${task.name} was not timed`);
      for (const sample of result.latency.samples) samples[task.name as "ours" | "theirs"].push(sample);
    }
  }
  const [micros, peerMicros] = [significant(microseconds(samples.ours) / per), microseconds(samples.theirs)];
  const row = { name, params, micros, peer, peerMicros, ratio: significant(peerMicros / micros) };
  return bytes === undefined ? row : { ...row, bytes };
}

/** The lower quartile of times in milliseconds. */
function microseconds(times: number[]): number {
  times.sort((left, right) => left - right);
  return significant(1000 * times[times.length >> 2]!);
}

/** Four digits are more than two runs have in common. */
function significant(value: number): number {
  return Number(value.toPrecision(4));
}

/** @throws Error when lists differ in length, or a value by more than the tolerance. */
export function requireNear(what: string, actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 0): void {
  if (actual.length !== expected.length) {
    throw new Error(`${what}: ${actual.length} values, expected ${expected.length}`);
  }
  for (let i = 0; i < expected.length; i++) {
    if (Math.abs(actual[i]! - expected[i]!) <= tolerance) continue;
    throw new Error(`${what}: value ${i} is ${actual[i]}, expected ${expected[i]} within ${tolerance}`);
  }
}
