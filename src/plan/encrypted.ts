/** The Plan on ciphertexts, under CKKS, with public material only. */

import type { CkksCiphertext, CkksEvaluator, Encoder, Plaintext, RaisedCiphertext } from "../ckks/index.ts";
import { throwIfAborted } from "../errors/index.ts";
import { freeCiphertext } from "../rlwe/index.ts";
import { type Hoisting, planHoisting } from "./hoisting.ts";
import { countUses, type NodeId, type Plan, sourcesOf, type WeightedTerm } from "./plan.ts";
import type { Schedule } from "./schedule.ts";

/** A plan made ready to run many times: its weights are encoded once, at the level and scale where they are used. */
export interface EncryptedProgram {
  readonly plan: Plan;
  readonly hoisting: Hoisting;
  /** By node: one plaintext for each term of a `weightedSum`, one for an `addPlain`. */
  readonly plaintexts: readonly (readonly Plaintext[])[];
}

export interface RunOptions {
  /** Called after each node; `layer` is the source model's. */
  readonly onProgress?:
    | ((progress: { readonly done: number; readonly total: number; readonly layer: number }) => void)
    | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Encodes the weights of a plan. */
export function prepareProgram(plan: Plan, schedule: Schedule, encoder: Encoder): EncryptedProgram {
  const hoisting = planHoisting(plan);
  const plaintexts = plan.nodes.map((node, id) => {
    const options = {
      scale: schedule.operandScales[id],
      level: schedule.levels[id],
      raised: hoisting.raisedSums.has(id),
    };
    if (node.op === "weightedSum") return node.terms.map(({ weights }) => encoder.encode(weights, options));
    if (node.op === "addPlain") return [encoder.encode(node.values, options)];
    return [];
  });
  return { plan, hoisting, plaintexts };
}

/** Gives the memory of the encoded weights back. */
export function freeProgram({ plaintexts }: EncryptedProgram): void {
  for (const list of plaintexts) for (const { polynomial } of list) polynomial.block.free();
}

/**
 * Runs a program. Inputs are borrowed; every intermediate ciphertext is freed at its last use.
 *
 * @throws CrcnnError MISSING_KEY, LEVEL_MISMATCH or SCALE_MISMATCH when keys or inputs do not fit the plan; ABORTED.
 */
export function runEncrypted(
  { plan, hoisting, plaintexts }: EncryptedProgram,
  evaluator: CkksEvaluator,
  inputs: readonly CkksCiphertext[],
  { onProgress, signal }: RunOptions = {},
): CkksCiphertext[] {
  const { nodes, layers, outputs } = plan;
  const values: (CkksCiphertext | undefined)[] = new Array(nodes.length);
  /** Raised rotations at their own node, raised sources at theirs. */
  const raised: (RaisedCiphertext | undefined)[] = new Array(nodes.length);
  const rotated = new Set<NodeId>();
  const uses = countUses(plan);
  const ciphertextOf = (id: NodeId): CkksCiphertext => values[id] as CkksCiphertext;

  function release(id: NodeId): void {
    uses[id]--;
    if (uses[id] > 0) return;
    const value = values[id];
    if (value && nodes[id].op !== "input") freeCiphertext(value);
    for (const component of raised[id]?.components ?? []) component.block.free();
    values[id] = undefined;
    raised[id] = undefined;
  }

  /** Makes all rotations of a node at its first one. */
  function rotateAll(source: NodeId): void {
    if (rotated.has(source)) return;
    rotated.add(source);
    const group = hoisting.rotations.get(source) as readonly NodeId[];
    const steps = group.map((id) => stepsOf(plan, id));
    if (hoisting.raisedSources.has(source)) {
      const images = evaluator.rotateRaised(ciphertextOf(source), [0, ...steps]);
      for (const [i, id] of [source, ...group].entries()) raised[id] = images[i];
    } else {
      for (const [i, image] of evaluator.rotateHoisted(ciphertextOf(source), steps).entries()) values[group[i]] = image;
    }
  }

  function weightedSum(id: NodeId, terms: readonly WeightedTerm[]): CkksCiphertext {
    if (!hoisting.raisedSums.has(id)) {
      return evaluator.weightedSum(
        terms.map(({ source }, i) => ({ ciphertext: ciphertextOf(source), plaintext: plaintexts[id][i] })),
      );
    }
    return evaluator.weightedSumRaised(
      terms.map(({ source }, i) => ({ ciphertext: raised[source] as RaisedCiphertext, plaintext: plaintexts[id][i] })),
    );
  }

  for (const [id, node] of nodes.entries()) {
    throwIfAborted(signal);
    switch (node.op) {
      case "input":
        values[id] = inputs[node.index];
        break;
      case "rotate":
        rotateAll(node.source);
        break;
      case "weightedSum":
        values[id] = weightedSum(id, node.terms);
        break;
      case "add":
        values[id] = evaluator.add(ciphertextOf(node.left), ciphertextOf(node.right));
        break;
      case "addPlain":
        values[id] = evaluator.addPlain(ciphertextOf(node.source), plaintexts[id][0]);
        break;
      case "square":
        values[id] = evaluator.multiply(ciphertextOf(node.source), ciphertextOf(node.source));
        break;
      case "relinearize":
        values[id] = evaluator.relinearize(ciphertextOf(node.source));
        break;
      case "rescale":
        values[id] = evaluator.rescale(ciphertextOf(node.source));
        break;
    }
    for (const source of sourcesOf(node)) release(source);
    onProgress?.({ done: id + 1, total: nodes.length, layer: layers[id] });
  }
  return outputs.map(ciphertextOf);
}

function stepsOf({ nodes }: Plan, id: NodeId): number {
  const node = nodes[id];
  return node.op === "rotate" ? node.steps : 0;
}
