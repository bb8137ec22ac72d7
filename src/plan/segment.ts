/** Running lowered networks on encrypted tensors, whatever layout, level and scale they come in. */

import { CrcnnError } from "../errors/index.ts";
import { modulusBits } from "../rlwe/index.ts";
import { emitPlan } from "./emit.ts";
import { type EncryptedProgram, prepareProgram, type RunOptions, runEncrypted } from "./encrypted.ts";
import type { EncryptedTensor } from "./encrypted-tensor.ts";
import type { Evaluator } from "./evaluator.ts";
import { type Layout, layoutKey } from "./layout.ts";
import type { LoweredNetwork } from "./lowered.ts";
import { demandKeys, planDepth, type Schedule, schedulePlan } from "./schedule.ts";

/** Lowers a stretch of a network for an input in this layout whose slots hold `factor` times the true values. */
export type Lower = (layout: Layout, factor: number, level: number) => LoweredNetwork;

/** A stretch of a network on encrypted tensors. */
export type Segment = (input: EncryptedTensor, options?: RunOptions) => EncryptedTensor;

/** Two primes are left for the last product, which is then not rescaled. */
const BASE_LEVEL = 1;

interface Prepared {
  readonly lowered: LoweredNetwork;
  readonly program: EncryptedProgram;
}

/**
 * Makes a segment that lowers itself for each layout, level and scale that it meets, once.
 *
 * The segment throws CrcnnError MISSING_KEY with all the keys that it lacks, LEVEL_EXHAUSTED when the input has too few levels left.
 */
export function createSegment(he: Evaluator, name: string, lower: Lower): Segment {
  const prepared = new Map<string, Prepared>();

  function prepare({ layout, factor, ciphertexts }: EncryptedTensor): Prepared {
    const { level, scale } = ciphertexts[0]!;
    const lowered = lower(layout, factor, level);
    const draft = emitPlan(lowered, { foldsBeforeRescale: false, rescaleLast: true });
    const depth = planDepth(draft);
    // The last product stays as it is where no more than two primes are left for it.
    const plan =
      depth > 0 && level - depth < BASE_LEVEL
        ? emitPlan(lowered, { foldsBeforeRescale: false, rescaleLast: false })
        : draft;
    if (level < planDepth(plan)) {
      throw new CrcnnError(
        "LEVEL_EXHAUSTED",
        `${name} takes ${planDepth(plan)} levels, the tensor has ${level} left; put a refresh before it, or use parameters with a longer chain`,
      );
    }
    const schedule = schedulePlan(plan, he.context.parameters, he.policy, { level, scale });
    requireRoom(he, name, schedule);
    he.requireKeys(demandKeys(plan, schedule));
    return { lowered, program: prepareProgram(plan, schedule, he.encoder) };
  }

  return (input, options) => {
    const { level, scale } = input.ciphertexts[0]!;
    // By content: every encryption makes a layout object of its own.
    const state = [layoutKey(input.layout), level, scale, input.factor].join(":");
    let ready = prepared.get(state);
    if (!ready) {
      ready = prepare(input);
      prepared.set(state, ready);
    }
    const { lowered, program } = ready;
    const ciphertexts = runEncrypted(program, he.operations, input.ciphertexts, options);
    return { shape: lowered.output.shape, layout: lowered.output, factor: lowered.outputFactor, ciphertexts };
  };
}

/** @throws CrcnnError LEVEL_EXHAUSTED where a product's scale alone would fill the modulus that is left for it. */
function requireRoom({ context }: Evaluator, name: string, { levels, scales }: Schedule): void {
  const { dataPrimes } = context.parameters;
  for (const [id, level] of levels.entries()) {
    const bits = modulusBits(dataPrimes.slice(0, level + 1));
    if (Math.log2(scales[id]) + 1 < bits) continue;
    throw new CrcnnError(
      "LEVEL_EXHAUSTED",
      `${name} makes a product of scale 2^${Math.log2(scales[id]).toFixed(1)} at level ${level}, which holds ${bits.toFixed(1)} bits; put a ` +
        "refresh before it, or use parameters with a longer chain",
    );
  }
}
