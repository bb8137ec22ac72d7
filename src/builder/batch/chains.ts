/** Chains of primes for the batch packing: of all that are secure and precise enough, the one with the most images a second. */

import { type Cancellation, throwIfAborted } from "../../errors/index.ts";
import { findNttPrimes, WEIGHTED_PRIME_FLOOR } from "../../math/index.ts";
import {
  type BatchDraft,
  type BatchNumbers,
  type BatchPlan,
  estimateBatchCost,
  MAX_WEIGHT_BITS,
  measureSpans,
  outlineBatch,
  quantizeBatch,
  type SpanWork,
  scheduleBatch,
} from "../../plan/index.ts";
import { maximumModulusBits, RING_DEGREES, type RlweParameters, type SecurityLevel } from "../../rlwe/index.ts";
import { type BatchStretch, type ChosenNumbers, chooseNumbers, judge, totalError } from "./numbers.ts";

export interface ChainRequest {
  readonly precision: number;
  readonly security: SecurityLevel;
  readonly weightBits: number | undefined;
}

/** How one stretch runs on a chain. */
export interface ChosenStretch {
  readonly plan: BatchPlan;
  readonly inputLevel: number;
  readonly numbers: ChosenNumbers;
  /** Of an output, relative to the largest one. */
  readonly relativeError: number;
}

export interface ChosenChain {
  readonly parameters: RlweParameters;
  readonly stretches: readonly ChosenStretch[];
}

/** What was found where no chain is precise enough: the least error, or undefined where none holds the values. */
export interface ChainFailure {
  readonly closest: { readonly error: number; readonly ringDegree: number } | undefined;
}

/** Special primes, and primes in a digit. */
const SWITCHINGS = [1, 2, 3].flatMap((alpha) => [1, 2, 3].map((digitPrimes) => ({ alpha, digitPrimes })));
const BASES = [1, 2, 3];
const LONGEST_PRIME = 30;
const SHORTEST_PRIME: number = Math.log2(WEIGHTED_PRIME_FLOOR) + 1;
/** Primes behind a square. */
const DROPS = [1, 2, 3];
const LONGEST_CHAIN = 24;
/** Images unlike the calibration inputs meet larger errors than predicted, up to this factor. */
const SUFFICIENT = 2;
/** Networks with more squares than this drop as many primes behind each of them. */
const MAX_FREE_DROPS = 4;

/** One way to run a stretch on a chain. */
interface Candidate {
  readonly parameters: RlweParameters;
  readonly bits: number;
  readonly drops: readonly number[];
  readonly inputLevel: number;
  /** For one image. */
  readonly seconds: number;
}

type Chosen = Candidate & { readonly numbers: ChosenNumbers };

/** @param stretches One a segment; all share a chain. */
export function chooseChain(
  stretches: readonly BatchStretch[],
  request: ChainRequest,
  signal?: Cancellation,
): ChosenChain | ChainFailure {
  const works = stretches.map(({ draft }) => measureSpans(outlineBatch(draft, plainNumbers(draft))));
  const failures = stretches.map(createFailures);
  let best: { chain: ChosenChain; seconds: number } | undefined;
  for (const options of chains(stretches, works, request.security)) {
    const least = options.reduce((sum, [first]) => sum + first.seconds, 0);
    // Chains come by the least that they could cost.
    if (best && least >= best.seconds) break;
    const limit = best?.seconds ?? Number.POSITIVE_INFINITY;
    const chosen = options.map((candidates, i) => {
      throwIfAborted(signal);
      const faster = candidates.filter(({ seconds }) => seconds < limit);
      return firstSufficient(stretches[i], faster, request, failures[i]);
    });
    if (!chosen.every((each) => each !== undefined)) continue;
    const seconds = chosen.reduce((sum, each) => sum + each.seconds, 0);
    const chain = seconds < (best?.seconds ?? Number.POSITIVE_INFINITY) && settle(stretches, chosen, request);
    if (chain) best = { chain, seconds };
  }
  const closest = failures.map((failed) => failed.closest()).filter((each) => each !== undefined);
  return best?.chain ?? { closest: closest.sort((left, right) => right.error - left.error)[0] };
}

function plainNumbers({ spans }: BatchDraft, drops: readonly number[] = spans.map(() => 0)): BatchNumbers {
  return { weightBits: spans.map(() => MAX_WEIGHT_BITS), drops };
}

/** Chains by ring degree, digit size and length: for each stretch the ways to run it, fastest first. Those that could be fastest come first. */
function chains(
  stretches: readonly BatchStretch[],
  works: readonly (readonly SpanWork[])[],
  security: SecurityLevel,
): Candidate[][][] {
  const found: { readonly options: Candidate[][]; readonly least: number }[] = [];
  for (const ringDegree of RING_DEGREES) {
    for (const { alpha, digitPrimes } of SWITCHINGS) {
      for (let length = 1; length <= LONGEST_CHAIN; length++) {
        const bits = primeBits(ringDegree, length + alpha, security);
        if (bits === undefined) break;
        const parameters = { ...nominalParameters(ringDegree, length, alpha, bits), digitPrimes };
        // A single stretch uses all of its chain; of several, those that are not so deep come in further down.
        const shortest = stretches.length === 1 ? length : 1;
        const options = stretches.map((stretch, i) => candidatesFor(stretch, works[i], parameters, bits, shortest));
        if (options.some((candidates) => candidates.length === 0)) continue;
        found.push({ options, least: options.reduce((sum, [first]) => sum + first.seconds, 0) });
      }
    }
  }
  return found.sort((left, right) => left.least - right.least).map(({ options }) => options);
}

function candidatesFor(
  { draft }: BatchStretch,
  work: readonly SpanWork[],
  parameters: RlweParameters,
  bits: number,
  shortest: number,
): Candidate[] {
  return dropChoices(draft, parameters.dataPrimes.length)
    .filter(({ inputLevel }) => inputLevel + 1 >= shortest)
    .map(({ drops, inputLevel }) => {
      const plan = outlineBatch(draft, plainNumbers(draft, drops));
      const schedule = scheduleBatch(plan, parameters, { level: inputLevel, scale: 1 });
      const { seconds } = estimateBatchCost(plan, work, parameters, schedule);
      return { parameters, bits, drops, inputLevel, seconds: seconds / (parameters.ringDegree / 2) };
    })
    .sort((left, right) => left.seconds - right.seconds);
}

/** What was not precise enough, so that what can only be worse is not tried. */
interface Failures {
  known(candidate: Candidate): boolean;
  add(candidate: Candidate, error: number): void;
  closest(): ChainFailure["closest"];
}

/** By how many primes digits are larger than P, at least 0. */
function excessOf({ specialPrimes, digitPrimes = specialPrimes.length }: RlweParameters): number {
  return Math.max(digitPrimes - specialPrimes.length, 0);
}

function createFailures(): Failures {
  const failed: { readonly candidate: Candidate; readonly error: number }[] = [];
  return {
    // Shorter primes leave less room, a larger ring has more noise, larger digits for the same P, too.
    known: ({ parameters, bits, drops, inputLevel }) =>
      failed.some(
        ({ candidate: other }) =>
          other.parameters.ringDegree <= parameters.ringDegree &&
          other.bits >= bits &&
          excessOf(other.parameters) <= excessOf(parameters) &&
          other.inputLevel === inputLevel &&
          other.drops.every((drop, i) => drop === drops[i]),
      ),
    add(candidate, error) {
      failed.push({ candidate, error });
    },
    closest() {
      const [best] = failed
        .filter(({ error }) => Number.isFinite(error))
        .sort((left, right) => left.error - right.error);
      return best && { error: best.error, ringDegree: best.candidate.parameters.ringDegree };
    },
  };
}

function firstSufficient(
  stretch: BatchStretch,
  candidates: readonly Candidate[],
  request: ChainRequest,
  failures: Failures,
): Chosen | undefined {
  for (const candidate of candidates) {
    if (failures.known(candidate)) continue;
    // Digits no larger than P add no noise that counts: what fails with them fails with any.
    const { specialPrimes } = candidate.parameters;
    const quiet = { ...candidate, parameters: { ...candidate.parameters, digitPrimes: specialPrimes.length } };
    for (const attempt of excessOf(candidate.parameters) > 0 ? [quiet, candidate] : [candidate]) {
      const { parameters, inputLevel, drops } = attempt;
      const choose = (uncut: boolean): ChosenNumbers | undefined =>
        chooseNumbers(stretch, parameters, inputLevel, drops, request.weightBits, uncut);
      const uncut = choose(true);
      const numbers = uncut && isSufficient(stretch, uncut, request) ? uncut : choose(false);
      if (!numbers || !isSufficient(stretch, numbers, request)) {
        const error = numbers ? totalError(numbers) / stretch.statistics.typicalOutput : Number.POSITIVE_INFINITY;
        failures.add(attempt, error);
        break;
      }
      if (attempt === candidate) return { ...candidate, numbers };
    }
  }
  return undefined;
}

/** Where the bits of weights are given, their error is accepted, and noise may be half of it. */
function isSufficient(
  { statistics }: BatchStretch,
  numbers: ChosenNumbers,
  { precision, weightBits }: ChainRequest,
): boolean {
  const wanted = (precision / SUFFICIENT) * statistics.typicalOutput;
  return weightBits === undefined
    ? totalError(numbers) <= wanted
    : numbers.noise <= Math.max(wanted, numbers.weightError / 2);
}

/** How many primes are dropped behind each square but the last, and what that makes of the chain: at most `length` primes. */
function dropChoices({ spans }: BatchDraft, length: number): { drops: number[]; inputLevel: number }[] {
  const dropping = spans.flatMap(({ square }, i) => (square && i < spans.length - 1 ? [i] : []));
  let choices: number[][] = [[]];
  for (const n of dropping.keys()) {
    const counts = (choice: readonly number[]): readonly number[] =>
      n > 0 && dropping.length > MAX_FREE_DROPS ? choice.slice(0, 1) : DROPS;
    choices = choices.flatMap((choice) => counts(choice).map((count) => [...choice, count]));
  }
  return choices.flatMap((choice) =>
    BASES.flatMap((base) => {
      const used = choice.reduce((sum, count) => sum + count, base);
      if (used > length) return [];
      const drops = spans.map((_, i) => choice[dropping.indexOf(i)] ?? 0);
      return [{ drops, inputLevel: used - 1 }];
    }),
  );
}

/** The longest that `count` primes may be, or undefined where they would be too short. */
function primeBits(ringDegree: number, count: number, security: SecurityLevel): number | undefined {
  const bits = Math.min(LONGEST_PRIME, Math.floor(maximumModulusBits(ringDegree, security) / count));
  return bits < SHORTEST_PRIME ? undefined : bits;
}

function nominalParameters(ringDegree: number, length: number, alpha: number, bits: number): RlweParameters {
  const primes = (count: number): number[] => new Array<number>(count).fill(2 ** bits);
  return { ringDegree, dataPrimes: primes(length), specialPrimes: primes(alpha), security: "insecure" };
}

/** Real primes in place of powers of two; undefined where they change what fits. */
function settle(
  stretches: readonly BatchStretch[],
  chosen: readonly Chosen[],
  { security }: ChainRequest,
): ChosenChain | undefined {
  const { ringDegree, dataPrimes, specialPrimes, digitPrimes } = chosen[0].parameters;
  const length = Math.max(...chosen.map(({ inputLevel }) => inputLevel + 1));
  const bits = Math.round(Math.log2(dataPrimes[0]));
  const primes = findNttPrimes(ringDegree, new Array<number>(length + specialPrimes.length).fill(bits));
  const parameters: RlweParameters = {
    ringDegree,
    // Special primes are the largest, so that P is not below the digits.
    dataPrimes: primes.slice(specialPrimes.length),
    specialPrimes: primes.slice(0, specialPrimes.length),
    ...(digitPrimes === specialPrimes.length ? {} : { digitPrimes }),
    security,
  };
  const settled: ChosenStretch[] = [];
  for (const [i, { drops, inputLevel, numbers: nominal }] of chosen.entries()) {
    const { draft, statistics } = stretches[i];
    const { weightBits } = nominal;
    const numbers = judge(stretches[i], parameters, inputLevel, drops, nominal);
    if (!numbers) return undefined;
    settled.push({
      plan: quantizeBatch(draft, { weightBits, drops }, statistics.means),
      inputLevel,
      numbers,
      relativeError: totalError(numbers) / statistics.typicalOutput,
    });
  }
  return { parameters, stretches: settled };
}
