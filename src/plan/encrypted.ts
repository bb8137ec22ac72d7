/** The Plan on ciphertexts, under CKKS, with public material only. */

import type {
  CkksCiphertext,
  CkksEvaluator,
  EncodeOptions,
  Encoder,
  Plaintext,
  RaisedCiphertext,
} from "../ckks/index.ts";
import { type Cancellation, throwIfAborted } from "../errors/index.ts";
import { freeCiphertext, type RlweParameters } from "../rlwe/index.ts";
import { type Hoisting, planHoisting, type Transform } from "./hoisting.ts";
import { countUses, type NodeId, type Plan, sourcesOf, type WeightedTerm } from "./plan.ts";
import type { Schedule } from "./schedule.ts";

/** A plan made ready to run many times: its weights are encoded once, at the level and scale where they are used. */
export interface EncryptedProgram {
  readonly plan: Plan;
  readonly hoisting: Hoisting;
  /** By node: one plaintext for each term of a `weightedSum`. */
  readonly weights: readonly (readonly Plaintext[])[];
  /** By node: the plaintext of an `addPlain`. */
  readonly addends: readonly (Plaintext | undefined)[];
}

export interface RunOptions {
  /** Called after each node; `layer` is the source model's. */
  readonly onProgress?:
    | ((progress: { readonly done: number; readonly total: number; readonly layer: number }) => void)
    | undefined;
  readonly signal?: Cancellation | undefined;
}

/** Encodes the weights of a plan. */
export function prepareProgram(plan: Plan, schedule: Schedule, encoder: Encoder): EncryptedProgram {
  const hoisting = planHoisting(plan);
  const optionsOf = (id: NodeId): EncodeOptions => ({
    scale: schedule.operandScales[id],
    level: schedule.levels[id],
    raised: hoisting.raised[id] === 1,
  });
  const weights = plan.nodes.map((node, id) => {
    if (node.op !== "weightedSum") return [];
    return node.terms.map((term) => encoder.encode(term.weights, optionsOf(id)));
  });
  const addends = plan.nodes.map((node, id) =>
    node.op === "addPlain" ? encoder.encode(node.values, optionsOf(id)) : undefined,
  );
  return { plan, hoisting, weights, addends };
}

/** Bytes of the heap that the encoded weights of {@link prepareProgram} take. */
export function programBytes(plan: Plan, { levels }: Schedule, parameters: RlweParameters): number {
  const { ringDegree, specialPrimes } = parameters;
  const { raised } = planHoisting(plan);
  const limbs = plan.nodes.reduce((sum, node, id) => {
    const plaintexts = node.op === "weightedSum" ? node.terms.length : node.op === "addPlain" ? 1 : 0;
    return sum + plaintexts * (levels[id] + 1 + (raised[id] === 1 ? specialPrimes.length : 0));
  }, 0);
  return limbs * ringDegree * Int32Array.BYTES_PER_ELEMENT;
}

/** Gives the memory of the encoded weights back. */
export function freeProgram({ weights, addends }: EncryptedProgram): void {
  for (const list of weights) for (const { polynomial } of list) polynomial.block.free();
  for (const addend of addends) addend?.polynomial.block.free();
}

/**
 * Runs a program. Inputs are borrowed; every intermediate ciphertext is freed at its last use.
 *
 * @throws CrcnnError MISSING_KEY, LEVEL_MISMATCH or SCALE_MISMATCH when keys or inputs do not fit the plan; ABORTED.
 */
export function runEncrypted(
  { plan, hoisting, weights, addends }: EncryptedProgram,
  evaluator: CkksEvaluator,
  inputs: readonly CkksCiphertext[],
  { onProgress, signal }: RunOptions = {},
): CkksCiphertext[] {
  const { nodes, layers, outputs } = plan;
  const { raised } = evaluator;
  /** By node, in the forms that were made or needed so far. */
  const plainValues: (CkksCiphertext | undefined)[] = new Array(nodes.length);
  const raisedValues: (RaisedCiphertext | undefined)[] = new Array(nodes.length);
  const rotated = new Set<NodeId>();
  const uses = countUses(plan);

  function plainOf(id: NodeId): CkksCiphertext {
    plainValues[id] ??= raised.lower(raisedValues[id] as RaisedCiphertext);
    return plainValues[id];
  }

  function raisedOf(id: NodeId): RaisedCiphertext {
    raisedValues[id] ??= raised.raise(plainValues[id] as CkksCiphertext);
    return raisedValues[id];
  }

  function release(id: NodeId): void {
    uses[id]--;
    if (uses[id] === 0) drop(id);
  }

  function drop(id: NodeId): void {
    const plain = plainValues[id];
    if (plain && nodes[id].op !== "input") freeCiphertext(plain);
    for (const component of raisedValues[id]?.components ?? []) component.block.free();
    plainValues[id] = undefined;
    raisedValues[id] = undefined;
  }

  /** Makes all rotations of a node at its first one. */
  function rotateAll(source: NodeId): void {
    if (rotated.has(source)) return;
    rotated.add(source);
    const group = hoisting.rotations.get(source) as readonly NodeId[];
    const value = plainValues[source] ?? raisedOf(source);
    const steps = group.map((id) => stepsOf(plan, id));
    for (const [i, image] of raised.rotate(value, steps).entries()) raisedValues[group[i]] = image;
  }

  /** Makes all sums of a transform at its first one. */
  function transformAll({ sources, sums, terms, rotations }: Transform): void {
    const results = raised.transform(
      sources.map(({ node, steps }) => ({ ciphertext: plainValues[node] ?? raisedOf(node), steps })),
      sums.map((id, i) => terms[i].map((term, j) => ({ ...term, plaintext: weights[id][j] }))),
    );
    for (const [i, result] of results.entries()) raisedValues[sums[i]] = result;
    // These were passed over, and what they turn was kept until now.
    for (const rotation of rotations) for (const source of sourcesOf(nodes[rotation])) release(source);
  }

  function weightedSum(id: NodeId, terms: readonly WeightedTerm[]): void {
    if (hoisting.transformed[id]) {
      const transform = hoisting.transforms.get(id);
      if (transform) transformAll(transform);
    } else if (hoisting.raised[id]) {
      raisedValues[id] = raised.weightedSum(
        terms.map(({ source }, i) => ({ ciphertext: raisedOf(source), plaintext: weights[id][i] })),
      );
    } else {
      plainValues[id] = evaluator.weightedSum(
        terms.map(({ source }, i) => ({ ciphertext: plainOf(source), plaintext: weights[id][i] })),
      );
    }
  }

  function evaluate(id: NodeId): void {
    const node = nodes[id];
    switch (node.op) {
      case "input":
        plainValues[id] = inputs[node.index];
        break;
      case "rotate":
        if (!hoisting.transformed[id]) rotateAll(node.source);
        break;
      case "weightedSum":
        weightedSum(id, node.terms);
        break;
      case "add":
        if (hoisting.raised[id]) raisedValues[id] = raised.add(raisedOf(node.left), raisedOf(node.right));
        else plainValues[id] = evaluator.add(plainOf(node.left), plainOf(node.right));
        break;
      case "addPlain":
        plainValues[id] = evaluator.addPlain(plainOf(node.source), addends[id] as Plaintext);
        break;
      case "dropLevels": {
        const plain = plainOf(node.source);
        plainValues[id] = evaluator.dropLevel(plain, plain.level - node.levels);
        break;
      }
      case "square":
        plainValues[id] = evaluator.multiply(plainOf(node.source), plainOf(node.source));
        break;
      case "relinearize":
        raisedValues[id] = raised.relinearize(plainOf(node.source));
        break;
      case "rescale": {
        const plain = plainValues[node.source];
        plainValues[id] = plain ? evaluator.rescale(plain) : raised.lowerAndRescale(raisedOf(node.source));
        break;
      }
    }
  }

  try {
    for (const [id, node] of nodes.entries()) {
      throwIfAborted(signal);
      evaluate(id);
      const passedOver = node.op === "rotate" && hoisting.transformed[id];
      if (!passedOver) for (const source of sourcesOf(node)) release(source);
      onProgress?.({ done: id + 1, total: nodes.length, layer: layers[id] });
    }
  } catch (error) {
    // Whoever cancels often would wait for the garbage collector, which does not see how much they hold.
    for (const id of nodes.keys()) drop(id);
    throw error;
  }
  return outputs.map((id) => {
    const result = plainOf(id);
    for (const component of raisedValues[id]?.components ?? []) component.block.free();
    return result;
  });
}

function stepsOf({ nodes }: Plan, id: NodeId): number {
  const node = nodes[id];
  return node.op === "rotate" ? node.steps : 0;
}
