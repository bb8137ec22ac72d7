/**
 * Sums of rotated ciphertexts with plaintext weights, all of them P times larger and over `keyBasis(level)` (double hoisting: Bossuat, Mouchet,
 * Troncoso-Pastoriza, Hubaux, EUROCRYPT 2021, section 4).
 *
 * Rotations are made and used up limb by limb. A rotated ciphertext as a whole is never in memory: at N = 8192 twenty-five of them would take
 * 11 MB, which pass through the caches once to be written and once for each sum, where one limb of all of them fits.
 */

import { allocatePolynomial, limbOffset, type Polynomial } from "../math/index.ts";
import { type Decomposition, type GaloisStep, galoisProduct, multiplyLimbByKey } from "./key-switching.ts";
import type { RlweContext } from "./parameters.ts";

/** A ciphertext with the automorphisms of it that sums need. */
export interface TransformSource {
  /** P * c_0 and P * c_1 over `keyBasis(level)`. */
  readonly raised: readonly [Polynomial<"ntt">, Polynomial<"ntt">];
  /** Of c_1; needed where there are automorphisms. */
  readonly decomposed: Decomposition | undefined;
  /** Undefined stands for the ciphertext itself. */
  readonly steps: readonly (GaloisStep | undefined)[];
}

/** A term of a sum: step `step` of source `source`, times a plaintext. */
export interface TransformTerm {
  readonly source: number;
  readonly step: number;
  /** Over `keyBasis(level)`. */
  readonly weights: Polynomial<"ntt">;
}

/**
 * Terms of one kernel call. Their weights come from main memory, and processors fetch ahead for a dozen streams or two: twenty-five terms at
 * once take 6 us each at N = 8192, nine at once 4.
 */
const TERMS_AT_ONCE = 9;
/** Words of arguments that kernel calls of one pass may write down (`math/threads/recorder`). */
const WORDS_OF_A_PASS = 4096;
const CALLS_OF_A_PASS = 400;

/** A kernel call on one limb of one component. */
interface LimbCall {
  readonly words: number;
  run(half: 0 | 1, k: number, scratch: number): void;
}

/**
 * Computes sums, each reduced once.
 *
 * @param sums Each at least one term.
 */
export function transformRaised(
  context: RlweContext,
  sources: readonly TransformSource[],
  sums: readonly (readonly TransformTerm[])[],
): [Polynomial<"ntt">, Polynomial<"ntt">][] {
  const { ring } = context;
  const { degree, parallel, heap } = ring;
  const { basis } = sources[0].raised[0];
  let rotations = 0;
  /** By source and step, which limb of the scratch memory holds it; -1 for the source itself. */
  const places = sources.map(({ steps }) => steps.map((step) => (step ? rotations++ : -1)));
  const results = sums.map((): [Polynomial<"ntt">, Polynomial<"ntt">] => [
    allocatePolynomial(ring, basis, "ntt"),
    allocatePolynomial(ring, basis, "ntt"),
  ]);
  const tasks = 2 * basis.length;
  // On one thread all limbs use the same scratch memory, which stays in the cache.
  const stride = ring.threads === 1 ? 0 : rotations * degree;
  const scratch = heap.allocate(ring.threads === 1 ? rotations * degree : tasks * stride);
  const calls = [
    ...sources.flatMap((source, i) => rotationCalls(context, source, places[i])),
    ...sums.flatMap((terms, i) => sumCalls(context, sources, places, terms, results[i])),
  ];
  for (const pass of ring.threads === 1 ? [calls] : passesOf(calls)) {
    parallel(tasks, (task) => {
      for (const { run } of pass) run((task % 2) as 0 | 1, task >> 1, scratch.offset + task * stride);
    });
  }
  scratch.free();
  return results;
}

function rotationCalls(
  context: RlweContext,
  { raised, decomposed, steps }: TransformSource,
  places: readonly number[],
): LimbCall[] {
  const { degree } = context.ring;
  return steps.flatMap((step, i) => {
    if (!step || !decomposed) return [];
    const product = galoisProduct(context, raised[0], step);
    return {
      words: 2 * decomposed.digits.length,
      run: (half, k, scratch) => multiplyLimbByKey(context, decomposed, product, half, k, scratch + places[i] * degree),
    };
  });
}

function sumCalls(
  { ring }: RlweContext,
  sources: readonly TransformSource[],
  places: readonly (readonly number[])[],
  terms: readonly TransformTerm[],
  result: readonly [Polynomial<"ntt">, Polynomial<"ntt">],
): LimbCall[] {
  const { basis } = result[0];
  const calls: LimbCall[] = [];
  const parts = Math.ceil(terms.length / TERMS_AT_ONCE);
  for (let part = 0; part < parts; part++) {
    const chunk = terms.slice((part * terms.length) / parts, ((part + 1) * terms.length) / parts);
    calls.push({
      words: 2 * chunk.length,
      run(half, k, scratch) {
        const out = limbOffset(result[half], k);
        const lefts = chunk.map(({ source, step }) => {
          const place = places[source][step];
          return place < 0 ? limbOffset(sources[source].raised[half], k) : scratch + place * ring.degree;
        });
        const rights = chunk.map(({ weights }) => limbOffset(weights, k));
        ring.kernels.dotProduct(out, lefts, rights, ring.degree, ring.moduli[basis[k]], {
          initial: part > 0 ? out : undefined,
        });
      },
    });
  }
  return calls;
}

/** Calls in runs that one task can make. */
function passesOf(calls: readonly LimbCall[]): LimbCall[][] {
  const passes: LimbCall[][] = [[]];
  let words = 0;
  for (const call of calls) {
    const last = passes[passes.length - 1];
    if (last.length > 0 && (words + call.words > WORDS_OF_A_PASS || last.length === CALLS_OF_A_PASS)) {
      passes.push([call]);
      words = call.words;
    } else {
      last.push(call);
      words += call.words;
    }
  }
  return passes;
}
