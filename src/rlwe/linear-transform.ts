/**
 * Sums of rotated ciphertexts with plaintext weights, all of them P times larger and over `keyBasis(level)` (double hoisting: Bossuat, Mouchet,
 * Troncoso-Pastoriza, Hubaux, EUROCRYPT 2021, section 4).
 *
 * Rotations are made and used up limb by limb. A rotated ciphertext as a whole is never in memory: at N = 8192 twenty-five of them would take
 * 11 MB, which pass through the caches once to be written and once for each sum, where one limb of all of them fits.
 */

import { allocatePolynomial, limbOffset, type Pair, type Polynomial } from "../math/index.ts";
import { type Decomposition, type GaloisStep, galoisProduct, multiplyLimbByKey } from "./key-switching.ts";
import type { RlweContext } from "./parameters.ts";

/** A ciphertext with the automorphisms of it that sums need. */
export interface TransformSource {
  /** P * c_0 and P * c_1 over `keyBasis(level)`. */
  readonly raised: Pair<Polynomial<"ntt">>;
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

/** Rotations that are made before they are used: a limb of so many, of both components, fits half of a second-level cache. */
const MOST_ROTATIONS = 8;
/**
 * Words of a limb that all sums are made of before the next ones. Rotations are then read from memory once and not for each sum: a fifth less
 * time at N = 8192 for four sums of 25 terms.
 */
const BLOCK = 2048;
/** Words between limbs of rotations beyond N, so that not all of them begin in the same set of the first-level cache. */
const SKEW = 16;
/** What the kernel calls of one task may write down where there are threads (`math/threads/recorder`). */
const WORDS_OF_A_PASS = 4096;
const CALLS_OF_A_PASS = 400;

/** A kernel call on one limb of both components. */
interface LimbCall {
  /** Words of arguments. */
  readonly words: number;
  run(k: number, scratch: number): void;
}

/** A source turned by one of its steps, in a part of all rotations, at its place in the scratch memory. */
interface Operand {
  readonly source: TransformSource;
  readonly step: GaloisStep | undefined;
  readonly part: number;
  readonly place: number;
}

/**
 * Computes sums, each reduced once for every few rotations.
 *
 * @param sums Each at least one term.
 */
export function transformRaised(
  context: RlweContext,
  sources: readonly TransformSource[],
  sums: readonly (readonly TransformTerm[])[],
): Pair<Polynomial<"ntt">>[] {
  const { ring } = context;
  const { degree, parallel, heap, threads } = ring;
  const { basis } = sources[0].raised[0];
  const results = sums.map(
    (): Pair<Polynomial<"ntt">> => [allocatePolynomial(ring, basis, "ntt"), allocatePolynomial(ring, basis, "ntt")],
  );
  const calls = transformCalls(context, sources, sums, results);
  // On one thread all limbs use the same scratch memory, which stays in the cache.
  const room = 2 * MOST_ROTATIONS * (degree + SKEW);
  const scratch = heap.allocate(threads === 1 ? room : basis.length * room);
  for (const pass of threads === 1 ? [calls] : passesOf(calls)) {
    parallel(basis.length, (k) => {
      for (const { run } of pass) run(k, scratch.offset + (threads === 1 ? 0 : k * room));
    });
  }
  scratch.free();
  return results;
}

/** In which of the goes of a transform a rotation is made, of all of its rotations in order. */
export function transformPart(rotation: number, rotations: number): number {
  return Math.floor((rotation * Math.ceil(rotations / MOST_ROTATIONS)) / rotations);
}

/** A few rotations, what they add to each sum, and so on. */
function transformCalls(
  context: RlweContext,
  sources: readonly TransformSource[],
  sums: readonly (readonly TransformTerm[])[],
  results: readonly Pair<Polynomial<"ntt">>[],
): LimbCall[] {
  const count = sources.reduce((total, { steps }) => total + steps.length, 0);
  const parts = Math.ceil(count / MOST_ROTATIONS);
  let taken = 0;
  const operands = sources.map((source) =>
    source.steps.map((step): Operand => {
      const part = transformPart(taken, count);
      return { source, step, part, place: taken++ - Math.ceil((part * count) / parts) };
    }),
  );
  const calls: LimbCall[] = [];
  const begun = new Set<Pair<Polynomial<"ntt">>>();
  for (let part = 0; part < parts; part++) {
    for (const operand of operands.flat()) if (operand.part === part) calls.push(...rotationCall(context, operand));
    const partial = sums.flatMap((sum, i) => {
      const terms = sum
        .map(({ source, step, weights }) => ({ operand: operands[source][step], weights }))
        .filter(({ operand }) => operand.part === part);
      return terms.length > 0 ? [{ terms, result: results[i], goesOn: begun.has(results[i]) }] : [];
    });
    for (const { result } of partial) begun.add(result);
    for (let block = 0; block < context.ring.degree; block += BLOCK) {
      calls.push(...partial.map((sum) => sumCall(context, sum, block)));
    }
  }
  return calls;
}

/** Where both components of limb k of an operand are. */
function limbsOf({ source, step, place }: Operand, degree: number, k: number, scratch: number): Pair<number> {
  if (!step) return [limbOffset(source.raised[0], k), limbOffset(source.raised[1], k)];
  const first = scratch + 2 * place * (degree + SKEW);
  return [first, first + degree + SKEW];
}

function rotationCall(context: RlweContext, operand: Operand): LimbCall[] {
  const { step, source } = operand;
  const { decomposed, raised } = source;
  if (!step || !decomposed) return [];
  const product = galoisProduct(context, raised[0], step);
  return [
    {
      words: 3 * decomposed.digits.length,
      run(k, scratch) {
        multiplyLimbByKey(context, decomposed, product, k, limbsOf(operand, context.ring.degree, k, scratch));
      },
    },
  ];
}

/** What rotations of one part add to a sum. */
interface PartialSum {
  readonly terms: readonly { readonly operand: Operand; readonly weights: Polynomial<"ntt"> }[];
  readonly result: Pair<Polynomial<"ntt">>;
  /** Whether the sum has terms already. */
  readonly goesOn: boolean;
}

/** @param block First word of the limb that is summed. */
function sumCall({ ring }: RlweContext, { terms, result, goesOn }: PartialSum, block: number): LimbCall {
  return {
    words: 3 * terms.length,
    run(k, scratch) {
      const outs = [limbOffset(result[0], k) + block, limbOffset(result[1], k) + block] as const;
      const lefts = terms.map(({ operand }) => limbsOf(operand, ring.degree, k, scratch));
      ring.kernels.dotProductPair(
        outs,
        [lefts.map(([c0]) => c0 + block), lefts.map(([, c1]) => c1 + block)],
        terms.map(({ weights }) => limbOffset(weights, k) + block),
        Math.min(BLOCK, ring.degree),
        ring.moduli[result[0].basis[k]],
        { initial: goesOn ? outs : undefined },
      );
    },
  };
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
