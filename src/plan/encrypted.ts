/** The Plan on ciphertexts, under CKKS, with public material only. */

import type { CkksCiphertext, CkksEvaluator, Encoder, Plaintext } from "../ckks/index.ts";
import { throwIfAborted } from "../errors/index.ts";
import { freeCiphertext } from "../rlwe/index.ts";
import { countUses, type NodeId, type Plan, sourcesOf } from "./plan.ts";
import type { Schedule } from "./schedule.ts";

/** A plan made ready to run many times: its weights are encoded once, at the level and scale where they are used. */
export interface EncryptedProgram {
  readonly plan: Plan;
  readonly schedule: Schedule;
  /** By node: one plaintext for each term of a `weightedSum`, one for an `addPlain`. */
  readonly plaintexts: readonly (readonly Plaintext[])[];
}

export interface RunOptions {
  /** Called after each node; `layer` is the source model's. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number; readonly layer: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Encodes the weights of a plan. */
export function prepareProgram(plan: Plan, schedule: Schedule, encoder: Encoder): EncryptedProgram {
  const plaintexts = plan.nodes.map((node, id) => {
    const options = { scale: schedule.operandScales[id], level: schedule.levels[id] };
    if (node.op === "weightedSum") return node.terms.map(({ weights }) => encoder.encode(weights, options));
    if (node.op === "addPlain") return [encoder.encode(node.values, options)];
    return [];
  });
  return { plan, schedule, plaintexts };
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
  { plan, plaintexts }: EncryptedProgram,
  evaluator: CkksEvaluator,
  inputs: readonly CkksCiphertext[],
  { onProgress, signal }: RunOptions = {},
): CkksCiphertext[] {
  const { nodes, layers, outputs } = plan;
  const values: (CkksCiphertext | undefined)[] = new Array(nodes.length);
  const uses = countUses(plan);
  const hoisted = groupRotations(plan);
  const valueOf = (id: NodeId): CkksCiphertext => values[id] as CkksCiphertext;
  const release = (id: NodeId): void => {
    uses[id]--;
    const value = values[id];
    if (uses[id] > 0 || !value) return;
    if (nodes[id].op !== "input") freeCiphertext(value);
    values[id] = undefined;
  };

  for (const [id, node] of nodes.entries()) {
    throwIfAborted(signal);
    switch (node.op) {
      case "input":
        values[id] = inputs[node.index];
        break;
      case "rotate": {
        if (values[id]) break; // Made together with the first rotation of the same source.
        const group = hoisted.get(node.source) as NodeId[];
        const steps = group.map((member) => (nodes[member] as typeof node).steps);
        const rotated = evaluator.rotateHoisted(valueOf(node.source), steps);
        for (const [i, member] of group.entries()) values[member] = rotated[i];
        break;
      }
      case "weightedSum":
        values[id] = evaluator.weightedSum(
          node.terms.map(({ source }, i) => ({ ciphertext: valueOf(source), plaintext: plaintexts[id][i] })),
        );
        break;
      case "add":
        values[id] = evaluator.add(valueOf(node.left), valueOf(node.right));
        break;
      case "addPlain":
        values[id] = evaluator.addPlain(valueOf(node.source), plaintexts[id][0]);
        break;
      case "square":
        values[id] = evaluator.multiply(valueOf(node.source), valueOf(node.source));
        break;
      case "relinearize":
        values[id] = evaluator.relinearize(valueOf(node.source));
        break;
      case "rescale":
        values[id] = evaluator.rescale(valueOf(node.source));
        break;
    }
    for (const source of sourcesOf(node)) release(source);
    onProgress?.({ done: id + 1, total: nodes.length, layer: layers[id] });
  }
  return outputs.map(valueOf);
}

/** The rotations of each node, in order: they are made at once, from one decomposition. */
function groupRotations({ nodes }: Plan): Map<NodeId, NodeId[]> {
  const groups = new Map<NodeId, NodeId[]>();
  for (const [id, node] of nodes.entries()) {
    if (node.op !== "rotate") continue;
    const group = groups.get(node.source);
    if (group) group.push(id);
    else groups.set(node.source, [id]);
  }
  return groups;
}
