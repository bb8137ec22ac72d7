/**
 * The Plan: a network as data, a directed acyclic graph of operations on vectors of slots. It can be printed, hashed, cached and read by
 * three interpreters: in the clear, for its cost, and encrypted. It holds the model's weights and no key.
 */

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { InputPacking } from "./layout.ts";
import type { Shape } from "./tensor.ts";

/** Index into `Plan.nodes`. Sources always stand before the nodes that use them. */
export type NodeId = number;

export interface WeightedTerm {
  readonly source: NodeId;
  /** One value a slot. */
  readonly weights: Float64Array;
}

/** One operation. `rotate` by k gives slot t the value of slot t + k modulo the number of slots. */
export type PlanNode =
  | { readonly op: "input"; readonly index: number }
  | { readonly op: "rotate"; readonly source: NodeId; readonly steps: number }
  | { readonly op: "weightedSum"; readonly terms: readonly WeightedTerm[] }
  | { readonly op: "add"; readonly left: NodeId; readonly right: NodeId }
  | { readonly op: "addPlain"; readonly source: NodeId; readonly values: Float64Array }
  | { readonly op: "square"; readonly source: NodeId }
  | { readonly op: "relinearize"; readonly source: NodeId }
  | { readonly op: "rescale"; readonly source: NodeId }
  /** Gives up primes of the modulus, without any change of the value or its scale: so that it can meet values further down the chain. */
  | { readonly op: "dropLevels"; readonly source: NodeId; readonly levels: number };

/** Where a network's results are found: element e of `shape` is virtual slot `position[e]`, divided by `factor`. */
export interface OutputPacking {
  readonly shape: Shape;
  readonly position: Int32Array;
  readonly factor: number;
}

/** First and last layer of the source model that were fused (0-based, inclusive). */
export type LayerRange = readonly [first: number, last: number];

export interface Plan {
  /** Slots that the plan works on in each ciphertext, a power of two. */
  readonly slots: number;
  readonly input: InputPacking;
  readonly nodes: readonly PlanNode[];
  /** The source model's layer that each node belongs to, for progress and reports; inputs count to the first. */
  readonly layers: Int32Array;
  /** The groups of layers that were fused, in the order in which they run; nodes belong to the first layer of theirs. */
  readonly groups: readonly LayerRange[];
  /** One node a result ciphertext. */
  readonly outputs: readonly NodeId[];
  readonly output: OutputPacking;
}

/** The nodes that a node reads. */
export function sourcesOf(node: PlanNode): readonly NodeId[] {
  switch (node.op) {
    case "input":
      return [];
    case "weightedSum":
      return node.terms.map(({ source }) => source);
    case "add":
      return [node.left, node.right];
    default:
      return [node.source];
  }
}

/** For each node, how many times it is read (an output counts once more): when that many reads are done its memory can go. */
export function countUses(plan: Plan): Int32Array {
  const uses = new Int32Array(plan.nodes.length);
  for (const node of plan.nodes) for (const source of sourcesOf(node)) uses[source]++;
  for (const output of plan.outputs) uses[output]++;
  return uses;
}

/** SHA-256 of the plan, in hexadecimal: equal for equal operations, weights and packings. */
export function hashPlan(plan: Plan): string {
  const hash = sha256.create();
  const text = (value: unknown): void => {
    hash.update(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
  };
  const numbers = (values: Float64Array | Int32Array): void => {
    text(values.length);
    hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  };
  text(["crcnn plan 1", plan.slots, plan.outputs, plan.input.shape, plan.output.shape, plan.output.factor]);
  for (const values of [plan.input.source, plan.output.position, plan.layers]) numbers(values);
  for (const node of plan.nodes) {
    if (node.op === "weightedSum") {
      text([node.op, node.terms.length]);
      for (const { source, weights } of node.terms) {
        text(source);
        numbers(weights);
      }
    } else if (node.op === "addPlain") {
      text([node.op, node.source]);
      numbers(node.values);
    } else {
      text(node);
    }
  }
  return bytesToHex(hash.digest());
}

/** One line a node, for people. */
export function formatPlan(plan: Plan): string {
  return plan.nodes
    .map((node, id) => {
      const operands = sourcesOf(node).map((source) => `%${source}`);
      if (node.op === "input") operands.push(`#${node.index}`);
      if (node.op === "rotate") operands.push(`by ${node.steps}`);
      if (node.op === "dropLevels") operands.push(`by ${node.levels}`);
      const role = plan.outputs.includes(id) ? ", an output" : "";
      return `%${id} = ${node.op} ${operands.join(" ")} (layer ${plan.layers[id]}${role})`;
    })
    .join("\n");
}
