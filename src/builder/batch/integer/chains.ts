/**
 * Plain moduli, and a chain of primes that carries them: of all that are secure and leave a noise budget, those with the most images a second.
 * Fewer plain moduli are fewer evaluations, larger ones cost noise, and with it primes.
 */

import { type Cancellation, CrcnnError, throwIfAborted } from "../../../errors/index.ts";
import { findNttPrimes, MAX_PRIME_BITS, WEIGHTED_PRIME_FLOOR } from "../../../math/index.ts";
import {
  type BatchPlan,
  estimateIntegerCost,
  forecastMargin,
  measureNoiseGains,
  measureSpans,
  type NoiseGains,
  type SpanWork,
  scheduleBatch,
  withDrops,
} from "../../../plan/index.ts";
import { maximumModulusBits, RING_DEGREES, type RlweParameters, type SecurityLevel } from "../../../rlwe/index.ts";

export interface IntegerChain {
  readonly parameters: RlweParameters;
  readonly plainModuli: readonly number[];
  /** The plans with the primes that they drop. */
  readonly plans: readonly BatchPlan[];
}

/** How near the search came: bits of budget that were missing, at best. */
export interface IntegerChainFailure {
  readonly missing: number;
}

const SWITCHINGS = [1, 2].flatMap((alpha) => [1, 2, 3].map((digitPrimes) => ({ alpha, digitPrimes })));
const SHORTEST_PRIME: number = Math.log2(WEIGHTED_PRIME_FLOOR) + 1;
const LONGEST_CHAIN = 24;
/** Each is an evaluation of its own. */
export const MOST_PLAIN_MODULI = 16;
/** Shorter plain moduli are more evaluations for hardly less noise. */
const SHORTEST_PLAIN_BITS = 14;
/** Bits of budget that stay: the estimate is from below already. */
const RESERVE = 0.5;

interface Candidate {
  readonly parameters: RlweParameters;
  readonly plainBits: number;
  readonly count: number;
  readonly drops: readonly (readonly number[])[];
  /** For one image, all evaluations together. */
  readonly seconds: number;
}

/** What a search asks for again and again. */
interface Measured {
  readonly plan: BatchPlan;
  readonly gains: NoiseGains;
  readonly work: readonly SpanWork[];
}

/**
 * @param plans One a segment, without drops; all share a chain.
 * @param span How many integers outputs may be: the product of the plain moduli is at least that.
 * @param productTerms Products that are summed before one scaling.
 */
export function chooseIntegerChain(
  plans: readonly BatchPlan[],
  span: bigint,
  productTerms: number,
  security: SecurityLevel,
  signal?: Cancellation,
): IntegerChain | IntegerChainFailure {
  const measured = plans.map((plan) => ({ plan, gains: measureNoiseGains(plan), work: measureSpans(plan) }));
  const switches = plans.some(({ stages }) => stages.some(({ op }) => op === "relinearize"));
  const spanBits = span.toString(2).length;
  const found: Candidate[] = [];
  let missing = Number.POSITIVE_INFINITY;
  for (const ringDegree of RING_DEGREES) {
    throwIfAborted(signal);
    for (const { count, plainBits } of plainChoices(ringDegree, spanBits)) {
      // Where nothing is switched a special prime would be idle.
      for (const { alpha, digitPrimes } of switches ? SWITCHINGS : [{ alpha: 0, digitPrimes: 1 }]) {
        for (let length = 1; length <= LONGEST_CHAIN; length++) {
          const longest = longestPrime(ringDegree, length + alpha, security);
          if (longest === undefined) break;
          let bits = longest;
          // Shorter primes may need fewer auxiliary ones.
          for (; bits >= SHORTEST_PRIME && length * bits > plainBits + 1; bits--) {
            const parameters = nominalParameters(ringDegree, length, alpha, digitPrimes, bits);
            const margin = leastMargin(measured, parameters, plainBits);
            missing = Math.min(missing, RESERVE - margin);
            if (margin < RESERVE) break;
            found.push(candidateFor(measured, parameters, plainBits, count, productTerms));
          }
          // A longer chain could only cost more.
          if (bits < longest) break;
        }
      }
    }
  }
  found.sort((left, right) => left.seconds - right.seconds);
  for (const candidate of found) {
    const settled = settle(measured, candidate, span, security);
    if (settled) return settled;
  }
  return { missing };
}

/** Numbers of plain moduli, and their bits, with which the product is large enough. */
function plainChoices(ringDegree: number, bits: number): { count: number; plainBits: number }[] {
  const shortest = Math.max(SHORTEST_PLAIN_BITS, Math.log2(ringDegree) + 4);
  const choices: { count: number; plainBits: number }[] = [];
  for (let count = 1; count <= Math.min(MOST_PLAIN_MODULI, Math.ceil(bits / shortest) + 1); count++) {
    // Primes are a little below the power of two.
    const plainBits = Math.max(shortest, Math.ceil((bits + 0.1 * count) / count));
    if (plainBits <= MAX_PRIME_BITS && choices.at(-1)?.plainBits !== plainBits) choices.push({ count, plainBits });
  }
  return choices;
}

function longestPrime(ringDegree: number, count: number, security: SecurityLevel): number | undefined {
  const bits = Math.min(MAX_PRIME_BITS, Math.floor(maximumModulusBits(ringDegree, security) / count));
  return bits < SHORTEST_PRIME ? undefined : bits;
}

function nominalParameters(
  ringDegree: number,
  length: number,
  alpha: number,
  digitPrimes: number,
  bits: number,
): RlweParameters {
  const primes = (count: number): number[] => new Array<number>(count).fill(2 ** bits);
  return { ringDegree, dataPrimes: primes(length), specialPrimes: primes(alpha), digitPrimes, security: "insecure" };
}

function leastMargin(measured: readonly Measured[], parameters: RlweParameters, plainBits: number): number {
  return Math.min(
    ...measured.map(({ plan, gains }) => forecastMargin(plan, gains, { ...parameters, plainModulus: 2 ** plainBits })),
  );
}

function candidateFor(
  measured: readonly Measured[],
  parameters: RlweParameters,
  plainBits: number,
  count: number,
  productTerms: number,
): Candidate {
  const bfv = { ...parameters, plainModulus: 2 ** plainBits };
  const drops = measured.map((own) => chooseDrops(own, bfv));
  const seconds = measured.reduce((sum, { plan, work }, i) => {
    const dropping = withDrops(plan, drops[i]);
    const schedule = scheduleBatch(dropping, parameters, { level: parameters.dataPrimes.length - 1, scale: 1 });
    return sum + estimateIntegerCost(dropping, work, bfv, schedule, productTerms).seconds;
  }, 0);
  return { parameters, plainBits, count, drops, seconds: (count * seconds) / parameters.ringDegree };
}

/** As many primes as can go behind each square, the first ones first, since all that follows gets cheaper; and behind everything. */
function chooseDrops(
  { plan, gains }: Measured,
  parameters: RlweParameters & { readonly plainModulus: number },
): number[] {
  const squares = plan.stages.filter(({ op }) => op === "square").length;
  const drops = new Array<number>(squares + 1).fill(0);
  const length = parameters.dataPrimes.length;
  for (const i of drops.keys()) {
    for (;;) {
      const more = drops.with(i, drops[i] + 1);
      const left = length - more.reduce((sum, primes) => sum + primes, 0);
      if (left < 1 || marginWith({ plan, gains }, more, parameters) < RESERVE) break;
      drops[i]++;
    }
  }
  return drops;
}

function marginWith(
  { plan, gains }: Pick<Measured, "plan" | "gains">,
  drops: readonly number[],
  parameters: RlweParameters & { readonly plainModulus: number },
): number {
  const dropping = withDrops(plan, drops);
  return forecastMargin(dropping, measureDropping(plan, gains, dropping), parameters);
}

/** The gains of a plan's stages, with the drops between them. */
function measureDropping({ stages }: BatchPlan, gains: NoiseGains, dropping: BatchPlan): NoiseGains {
  const known = new Map(stages.map((stage, i) => [stage, gains[i]]));
  return dropping.stages.map((stage) => known.get(stage));
}

/** Real primes in place of powers of two; undefined where they change what fits. */
function settle(
  measured: readonly Measured[],
  { parameters: nominal, plainBits, count, drops }: Candidate,
  span: bigint,
  security: SecurityLevel,
): IntegerChain | undefined {
  const { ringDegree, dataPrimes, specialPrimes, digitPrimes } = nominal;
  const alpha = specialPrimes.length;
  const bits = Math.round(Math.log2(dataPrimes[0]));
  const primes = primesOrNone(ringDegree, new Array<number>(dataPrimes.length + alpha).fill(bits), []);
  const plainModuli = primes && primesOrNone(ringDegree, new Array<number>(count).fill(plainBits), primes);
  if (!plainModuli || plainModuli.reduce((product, prime) => product * BigInt(prime), 1n) < span) return undefined;
  const parameters: RlweParameters = {
    ringDegree,
    // Special primes are the largest, so that P is not below the digits.
    dataPrimes: primes.slice(alpha),
    specialPrimes: primes.slice(0, alpha),
    ...(digitPrimes === (alpha || 1) ? {} : { digitPrimes }),
    security,
  };
  const plainModulus = Math.max(...plainModuli);
  const fits = measured.every((own, i) => marginWith(own, drops[i], { ...parameters, plainModulus }) > 0);
  return fits
    ? { parameters, plainModuli, plans: measured.map(({ plan }, i) => withDrops(plan, drops[i])) }
    : undefined;
}

/** Undefined where a length has too few primes. */
function primesOrNone(ringDegree: number, bits: readonly number[], exclude: readonly number[]): number[] | undefined {
  try {
    return findNttPrimes(ringDegree, bits, exclude);
  } catch (error) {
    if (error instanceof CrcnnError && error.code === "OUT_OF_PRIMES") return undefined;
    throw error;
  }
}
