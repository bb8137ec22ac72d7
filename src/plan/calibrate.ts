/**
 * The prices of kernels on the machine at hand, by timing each of them alone for a few hundredths of a second, in the surroundings that
 * evaluations give it: transforms and passes on limbs of the second-level cache, products with keys and weights that come from memory.
 *
 * They serve predictions. The choice of a plan keeps to fixed prices (`WASM_COSTS`), so that client and server, whatever they run on, get the same
 * plan for the same model.
 */

import {
  automorphismPermutation,
  createRing,
  type Engine,
  encodeWeightedSums,
  findNttPrimes,
  type HeapBlock,
  type Ring,
  weightedScratchWords,
} from "../math/index.ts";
import { type MachineCosts, type SumCosts, WASM_COSTS } from "./kernel-counts.ts";

export interface CalibrationOptions {
  /** N, a power of two from 2^10 to 2^16: limbs of other lengths meet other caches. */
  readonly ringDegree: number;
  /** What an evaluation reads of keys and weights, in bytes; 32 MB by default. At most 64 MB are taken, which no cache of a core holds. */
  readonly streamedBytes?: number | undefined;
  /** How long to measure, in milliseconds, 120 by default; half as much again is spent on preparations. */
  readonly milliseconds?: number | undefined;
}

const DEFAULT_STREAM = 32e6;
const LONGEST_STREAM = 64e6;
/** Limbs of the caches: as many as one decomposition has, and its key product's two results. */
const NEAR_LIMBS = 16;
/** Limbs of a polynomial among those that come from memory. */
const LIMBS = 8;
/** Rotations whose keys are read side by side. */
const ROTATIONS = 8;
/** Digits of key products, and terms of sums: the cost of a product and that of a reduction come from two lengths. */
const FEW = 2;
const MANY = 6;
/** What `rlwe/linear-transform` sums of a limb at a time. */
const BLOCK = 2048;
const GENERATOR = 5;
/** Kernels are slow at first, until they have been compiled. */
const LEAST_TURNS = 3;
/** Runs in one turn: at the first one, caches hold what others left there. */
const RUNS = 2;
/**
 * Weighted sums as a convolution has them: rows for four channels at each of eight positions, which read 25 columns of 64, in a stretch of slots; all
 * weights of a row are short enough to be added up at once.
 */
const TILE = { columns: 64, positions: 8, channels: 4, taps: 25, stretch: 2048, weight: 5000 };
const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

/**
 * Times the kernels of an engine. On several threads the prices are those of all of them together.
 *
 * @returns Microseconds a coefficient, as `estimateCost` takes them.
 * @throws RangeError for a ring degree that is none; CrcnnError MEMORY_LIMIT where the heap has no room for what is streamed.
 */
export function calibrateCosts(
  engine: Engine,
  { ringDegree, streamedBytes = DEFAULT_STREAM, milliseconds = 120 }: CalibrationOptions,
): MachineCosts {
  const ring = createRing(ringDegree, findNttPrimes(ringDegree, [30, 30]), engine);
  const memory = createScratch(ring);
  try {
    const stage = createStage(ring, memory, Math.min(streamedBytes, LONGEST_STREAM));
    const works = {
      transform: transforms(stage),
      pass: passes(stage),
      fewTerms: products(stage, FEW),
      manyTerms: products(stage, MANY),
      fewDigits: keyProducts(stage, FEW),
      manyDigits: keyProducts(stage, MANY),
      near: nearProducts(stage),
      tile: weightedSums(stage),
    };
    const prices = timeInTurns(works, milliseconds, ringDegree);
    const { product, reduction } = splitSums(prices.fewTerms, prices.manyTerms);
    const keys = splitSums(prices.fewDigits, prices.manyDigits);
    return {
      transform: prices.transform / Math.log2(ringDegree),
      product,
      reduction,
      keyProduct: keys.product,
      keyReduction: keys.reduction,
      pass: prices.pass,
      sums: scaleSums(prices.tile, prices.near),
    };
  } finally {
    memory.free();
  }
}

/** @param few Price of a sum of {@link FEW} products. @param many Of {@link MANY}. */
function splitSums(few: number, many: number): { readonly product: number; readonly reduction: number } {
  // Disturbed timings may be anything, prices may not: no sum of products costs less than its products.
  const product = Math.min(Math.max((many - few) / (MANY - FEW), 0), many / MANY, few / FEW);
  return { product, reduction: few - FEW * product };
}

/** What is timed, and how many kernel calls on a whole limb it stands for. */
interface Work {
  readonly calls: number;
  run(): void;
}

/** Memory that is freed at the end. */
interface Scratch {
  reserve(words: number): number;
  /** Has something freed with the rest. */
  keep<T extends { readonly block: HeapBlock }>(owner: T): T;
  free(): void;
}

interface Stage extends Pick<Scratch, "reserve" | "keep"> {
  readonly ring: Ring;
  /** Limbs that stay in the cache. */
  near(index: number): number;
  /** The next so many limbs from memory: those that were not read for longest. */
  next(count: number): number[];
}

function createScratch({ heap }: Ring): Scratch {
  const blocks: HeapBlock[] = [];
  return {
    reserve(words) {
      const block = heap.allocate(words, true);
      blocks.push(block);
      // Pages that were never written have no memory of their own.
      heap.words.fill(1, block.offset, block.offset + words);
      return block.offset;
    },
    keep(owner) {
      blocks.push(owner.block);
      return owner;
    },
    free() {
      for (const block of blocks) block.free();
    },
  };
}

function createStage(ring: Ring, { reserve, keep }: Scratch, streamedBytes: number): Stage {
  const { degree } = ring;
  const limbsOf = (polynomials: number): number[] =>
    Array.from({ length: polynomials }, () => reserve(LIMBS * degree)).flatMap((first) =>
      Array.from({ length: LIMBS }, (_, k) => first + k * degree),
    );
  const near = limbsOf(Math.ceil(NEAR_LIMBS / LIMBS));
  const far = limbsOf(Math.max(2, Math.floor(streamedBytes / (LIMBS * degree * WORD_BYTES))));
  let at = 0;
  return {
    ring,
    near: (index) => near[index],
    next(count) {
      const limbs = Array.from({ length: count }, (_, i) => far[(at + i) % far.length]);
      at = (at + count) % far.length;
      return limbs;
    },
    reserve,
    keep,
  };
}

/**
 * Microseconds a coefficient of each work: of the fastest of its runs, which take turns, so that what else the machine does at a time does not
 * fall on one of them alone.
 */
function timeInTurns<K extends string>(
  works: Readonly<Record<K, Work>>,
  milliseconds: number,
  ringDegree: number,
): Record<K, number> {
  const entries = Object.entries(works) as [K, Work][];
  const least = new Map<K, number>();
  const start = performance.now();
  for (let turn = 0; turn < LEAST_TURNS || performance.now() - start < milliseconds; turn++) {
    for (const [name, { calls, run }] of entries) {
      for (let i = 0; i < RUNS; i++) {
        const from = performance.now();
        run();
        const price = (1000 * (performance.now() - from)) / (calls * ringDegree);
        least.set(name, Math.min(least.get(name) ?? Number.POSITIVE_INFINITY, price));
      }
    }
  }
  return Object.fromEntries(least) as Record<K, number>;
}

function transforms({ ring: { kernels, parallel, tables }, near }: Stage): Work {
  return {
    calls: 2 * NEAR_LIMBS,
    run: () =>
      parallel(NEAR_LIMBS, (i) => {
        kernels.forwardNtt(near(i), tables[0]);
        kernels.inverseNtt(near(i), tables[0]);
      }),
  };
}

/** The four that evaluations make most of. */
function passes({ ring, near }: Stage): Work {
  const { kernels, parallel, degree, moduli } = ring;
  const lift = ring.lift([0], 1);
  const half = NEAR_LIMBS / 2;
  return {
    calls: 4 * half,
    run: () =>
      parallel(half, (i) => {
        const [from, to] = [near(i), near(half + i)];
        kernels.liftDigits(to, [from], degree, lift);
        kernels.subtractMultiplyScalar(to, to, from, 3, degree, moduli[1]);
        kernels.multiplyScalar(to, to, 5, degree, moduli[1]);
        kernels.add(to, to, from, degree, moduli[1]);
      }),
  };
}

/** Sums of both components of rotations, which are at hand, with weights from memory; calls are sums. */
function products({ ring: { kernels, parallel, degree, moduli }, near, next, reserve }: Stage, terms: number): Work {
  const results = reserve(2 * LIMBS * degree);
  const lefts = (component: number, block: number): number[] =>
    Array.from({ length: terms }, (_, term) => near(MANY * component + term) + block);
  return {
    calls: 2 * LIMBS,
    run() {
      const weights = next(terms * LIMBS);
      parallel(LIMBS, (k) => {
        for (let block = 0; block < degree; block += BLOCK) {
          const out = results + 2 * k * degree + block;
          kernels.dotProductPair(
            [out, out + degree],
            [lefts(0, block), lefts(1, block)],
            Array.from({ length: terms }, (_, term) => weights[term * LIMBS + k] + block),
            Math.min(BLOCK, degree),
            moduli[0],
          );
        }
      });
    },
  };
}

/**
 * Digits, which are at hand, with keys from memory, limb by limb; sums are permuted as those of rotations. Calls are sums. A run makes half of the
 * limbs, the next one the others: what takes long seldom goes undisturbed.
 */
function keyProducts({ ring: { kernels, parallel, degree, moduli }, near, next, reserve }: Stage, terms: number): Work {
  const half = LIMBS / 2;
  const results = reserve(2 * ROTATIONS * half * degree);
  const steps = Array.from({ length: ROTATIONS }, (_, step) => step);
  const permutations = steps.map((step) => automorphismPermutation(degree, GENERATOR ** (step + 1) % (2 * degree)));
  const digits = Array.from({ length: terms }, (_, d) => near(d));
  let keys: number[][] = [];
  let first = half;
  return {
    calls: 2 * ROTATIONS * half,
    run() {
      first = half - first;
      if (first === 0) keys = steps.map(() => next(2 * terms * LIMBS));
      const component = (step: number, c: number, k: number): number[] =>
        digits.map((_, d) => keys[step][(2 * d + c) * LIMBS + first + k]);
      parallel(half, (k) => {
        for (const step of steps) {
          const out = results + 2 * (step * half + k) * degree;
          const lefts = [component(step, 0, k), component(step, 1, k)] as const;
          kernels.dotProductPair([out, out + degree], lefts, digits, degree, moduli[0], {
            initial: [near(MANY), undefined],
            permutation: permutations[step],
          });
        }
      });
    },
  };
}

/** Squares of the elements of a tile. */
function nearProducts({ ring: { kernels, parallel, degree, moduli }, near }: Stage): Work {
  const terms = Array.from({ length: 4 }, (_, i) => near(i));
  return {
    calls: 4 * LIMBS,
    run: () => parallel(LIMBS, (k) => kernels.dotProduct(near(LIMBS + k), terms, terms, degree, moduli[0])),
  };
}

/** One tile, whose prices have fixed proportions; priced as a whole. Its columns come from memory. */
function weightedSums({ ring: { kernels, parallel, degree, moduli, heap }, reserve, keep, next }: Stage): Work {
  const { columns, positions, channels, taps, weight } = TILE;
  const rows = Array.from({ length: positions * channels }, (_, row) => {
    const first = 4 * Math.floor(row / channels);
    return {
      columns: Array.from({ length: taps }, (_, tap) => (first + tap + 3 * Math.floor(tap / 5)) % columns),
      weights: Array.from({ length: taps }, (_, tap) => ((tap + row) % 2 === 0 ? weight : -weight)),
    };
  });
  const program = keep(encodeWeightedSums(heap, columns, rows));
  const stretch = Math.min(TILE.stretch, degree);
  const results = reserve(rows.length * stretch);
  const scratch = reserve(weightedScratchWords(program));
  const biases = new Int32Array(rows.length);
  const outs = rows.map((_, row) => results + row * stretch);
  return {
    calls: stretch / degree,
    run() {
      const ins = next(columns);
      parallel(1, () => kernels.weightedSums(program, outs, ins, biases, scratch, stretch, moduli[0]));
    },
  };
}

/** @param tile Price of the tile. @param product Price of a product at hand. */
function scaleSums(tile: number, product: number): SumCosts {
  const { entry, column, row } = WASM_COSTS.sums;
  const rows = TILE.positions * TILE.channels;
  const factor = tile / (rows * TILE.taps * entry + TILE.columns * column + rows * row);
  return { entry: factor * entry, column: factor * column, row: factor * row, product };
}
