/** Rotations of inputs made by the client, which packs a tensor in any order for nothing: bytes against key switches. */

import type { InputPacking } from "./layout.ts";
import type { NodeId, Plan, PlanNode } from "./plan.ts";

/**
 * The same plan with rotations of its inputs replaced by further inputs, each a rotated copy, up to so many ciphertexts in all. The
 * rotations of one input are replaced all or not at all, since they share a decomposition.
 *
 * @param maximum Ciphertexts that the client may send.
 */
export function preRotateInputs(plan: Plan, maximum: number): Plan {
  const { slots, input } = plan;
  const copies = chooseCopies(plan, maximum);
  if (copies.length === 0) return plan;
  const source = new Int32Array(slots * (input.ciphertexts + copies.length));
  source.set(input.source);
  for (const [i, { index, steps }] of copies.entries()) {
    const from = index * slots;
    const to = (input.ciphertexts + i) * slots;
    for (let slot = 0; slot < slots; slot++) source[to + slot] = input.source[from + ((slot + steps) % slots)];
  }
  const copied = new Map(copies.map(({ id }, i) => [id, input.ciphertexts + i]));
  const nodes = plan.nodes.map((node, id): PlanNode => {
    const index = copied.get(id);
    return index === undefined ? node : { op: "input", index };
  });
  const packing: InputPacking = { ...input, ciphertexts: input.ciphertexts + copies.length, source };
  return { ...plan, input: packing, nodes };
}

interface Copy {
  readonly id: NodeId;
  /** The input that is rotated. */
  readonly index: number;
  readonly steps: number;
}

function chooseCopies({ nodes, input }: Plan, maximum: number): Copy[] {
  const byInput = new Map<number, Copy[]>();
  for (const [id, node] of nodes.entries()) {
    if (node.op !== "rotate") continue;
    const turned = nodes[node.source];
    if (turned.op !== "input") continue;
    const copy = { id, index: turned.index, steps: node.steps };
    const known = byInput.get(turned.index);
    if (known) known.push(copy);
    else byInput.set(turned.index, [copy]);
  }
  const chosen: Copy[] = [];
  for (const copies of byInput.values()) {
    if (input.ciphertexts + chosen.length + copies.length <= maximum) chosen.push(...copies);
  }
  return chosen;
}
