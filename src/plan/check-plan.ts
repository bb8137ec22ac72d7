/** Checks of plans that come from a file: whatever passes them, the interpreters run without reading outside of anything. */

import type { SegmentManifest } from "./manifest.ts";
import type { LayerRange, Plan, PlanNode, WeightedTerm } from "./plan.ts";
import { hashPlan } from "./plan.ts";

/** No chain has as many. */
const MOST_LEVELS = 256;

type Fields = Readonly<Record<string, unknown>>;

/** Something is wrong; the message says what. */
export type Complain = (what: string) => Error;

export function requireFields(value: unknown, what: string, complain: Complain): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw complain(`${what} is no object`);
}

export function requireList(value: unknown, what: string, complain: Complain): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw complain(`${what} is no list`);
}

/** An integer from `least` to below `end`. */
export function requireIndex(value: unknown, least: number, end: number, what: string, complain: Complain): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) < end) return value as number;
  throw complain(`${what} is ${String(value)}, and should be an integer from ${least} to ${end - 1}`);
}

export function requireInts(value: unknown, length: number, what: string, complain: Complain): Int32Array {
  if (value instanceof Int32Array && value.length === length) return value;
  throw complain(`${what} does not hold ${length} integers`);
}

export function requireReals(value: unknown, length: number, what: string, complain: Complain): Float64Array {
  if (value instanceof Float64Array && value.length === length && value.every(Number.isFinite)) return value;
  throw complain(`${what} does not hold ${length} finite numbers`);
}

/** First and last layer, in any order in which layers can be fused. */
export function requireRange(value: unknown, what: string, complain: Complain): LayerRange {
  const [first, last, ...rest] = requireList(value, what, complain);
  if (rest.length > 0) throw complain(`${what} has more than two ends`);
  return [
    requireIndex(first, 0, Number.MAX_SAFE_INTEGER, what, complain),
    requireIndex(last, 0, Number.MAX_SAFE_INTEGER, what, complain),
  ];
}

/**
 * A plan from data of any form.
 *
 * @param segment What its manifest says of it: packings, which are not looked for in `value`, and the hash.
 */
export function requirePlan(value: unknown, segment: SegmentManifest, complain: Complain): Plan {
  const fields = requireFields(value, "a plan", complain);
  const { slots, output, outputCiphertexts } = segment;
  const { range: _, ...input } = segment.input;
  const list = requireList(fields.nodes, "nodes", complain);
  const nodes = list.map((node, id) => requireNode(node, id, slots, input.ciphertexts, complain));
  const outputs = requireList(fields.outputs, "outputs", complain).map((id) =>
    requireIndex(id, 0, nodes.length, "an output", complain),
  );
  if (outputs.length !== outputCiphertexts) throw complain("its outputs are not as many as the manifest says");
  const plan: Plan = {
    slots,
    input,
    nodes,
    layers: requireInts(fields.layers, nodes.length, "layers", complain),
    groups: requireList(fields.groups, "groups", complain).map((range) => requireRange(range, "a group", complain)),
    outputs,
    output,
  };
  if (hashPlan(plan) !== segment.hash) throw complain("a plan's hash is not the manifest's");
  return plan;
}

function requireNode(value: unknown, id: number, slots: number, ciphertexts: number, complain: Complain): PlanNode {
  const fields = requireFields(value, "a node", complain);
  const read = (node: unknown): number => requireIndex(node, 0, id, `what node ${id} reads`, complain);
  const { op } = fields;
  switch (op) {
    case "input":
      return { op, index: requireIndex(fields.index, 0, ciphertexts, "an input", complain) };
    case "rotate":
      return { op, source: read(fields.source), steps: requireIndex(fields.steps, 1, slots, "a rotation", complain) };
    case "weightedSum": {
      const terms = requireList(fields.terms, "terms", complain).map((term): WeightedTerm => {
        const { source, weights } = requireFields(term, "a term", complain);
        return { source: read(source), weights: requireReals(weights, slots, "weights", complain) };
      });
      if (terms.length === 0) throw complain(`node ${id} sums nothing`);
      return { op, terms };
    }
    case "add":
      return { op, left: read(fields.left), right: read(fields.right) };
    case "addPlain":
      return { op, source: read(fields.source), values: requireReals(fields.values, slots, "values", complain) };
    case "dropLevels":
      return {
        op,
        source: read(fields.source),
        levels: requireIndex(fields.levels, 1, MOST_LEVELS, "levels", complain),
      };
    case "square":
    case "relinearize":
    case "rescale":
      return { op, source: read(fields.source) };
    default:
      throw complain(`node ${id} is ${JSON.stringify(op)}, which is no operation`);
  }
}
