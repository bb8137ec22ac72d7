/**
 * Which nodes the encrypted interpreter makes in raised form, P times larger and modulo QP, so that one division by P serves many of
 * them: a key switch leaves its result raised, sums of raised values stay raised, and whatever needs a plain ciphertext divides then, once.
 *
 * Rotations that only weighted sums read are not made one by one: sums of rotations of the same nodes form a transform, which is computed as
 * a whole (`rlwe/linear-transform`).
 */

import { countUses, type NodeId, type Plan, type PlanNode, sourcesOf } from "./plan.ts";

/** Weighted sums that are computed together. */
export interface Transform {
  /** The nodes whose rotations, or which themselves, are summed, each with the steps by which it is turned: 0 for the node itself. */
  readonly sources: readonly { readonly node: NodeId; readonly steps: readonly number[] }[];
  /** The `weightedSum` nodes, in order. */
  readonly sums: readonly NodeId[];
  /** By sum and term, which source and which of its steps. */
  readonly terms: readonly (readonly { readonly source: number; readonly step: number }[])[];
  /** The `rotate` nodes that are left out, and that no later transform needs. */
  readonly rotations: readonly NodeId[];
}

export interface Hoisting {
  /** Rotations that are made by themselves, by the node that they turn, in order: they share one decomposition. */
  readonly rotations: ReadonlyMap<NodeId, readonly NodeId[]>;
  /** 1 for each node that is made raised. */
  readonly raised: Uint8Array;
  /** By their first sum. */
  readonly transforms: ReadonlyMap<NodeId, Transform>;
  /** 1 for each sum and each rotation that belongs to a transform. */
  readonly transformed: Uint8Array;
}

export function planHoisting(plan: Plan): Hoisting {
  const { nodes } = plan;
  const raised = findRaised(nodes);
  const transforms = new Map<NodeId, Transform>();
  const transformed = new Uint8Array(nodes.length);
  /** By rotation, the first sum of the transform that needs it last. */
  const lastNeeded = new Map<NodeId, NodeId>();
  for (const sums of groupSums(plan, raised)) {
    const transform = describeTransform(nodes, sums);
    transforms.set(sums[0], transform);
    for (const id of transform.rotations) lastNeeded.set(id, Math.max(lastNeeded.get(id) ?? 0, sums[0]));
    for (const id of [...sums, ...transform.rotations]) transformed[id] = 1;
  }
  for (const [first, transform] of transforms) {
    const rotations = transform.rotations.filter((id) => lastNeeded.get(id) === first);
    transforms.set(first, { ...transform, rotations });
  }
  const rotations = new Map<NodeId, NodeId[]>();
  for (const [id, node] of nodes.entries()) {
    if (node.op !== "rotate" || transformed[id]) continue;
    const group = rotations.get(node.source);
    if (group) group.push(id);
    else rotations.set(node.source, [id]);
  }
  return { rotations, raised, transforms, transformed };
}

function findRaised(nodes: readonly PlanNode[]): Uint8Array {
  const raised = new Uint8Array(nodes.length);
  for (const [id, node] of nodes.entries()) {
    const { op } = node;
    const takesOver = op === "weightedSum" || op === "add";
    const made = op === "rotate" || op === "relinearize" || (takesOver && sourcesOf(node).some((s) => raised[s] === 1));
    raised[id] = made ? 1 : 0;
  }
  return raised;
}

/** The node that a term of a sum turns, and by how much. */
function turnOf(nodes: readonly PlanNode[], source: NodeId): { readonly node: NodeId; readonly steps: number } {
  const node = nodes[source];
  return node.op === "rotate" ? { node: node.source, steps: node.steps } : { node: source, steps: 0 };
}

/** Raised weighted sums, all of whose rotations go into such sums only; together where they turn the same nodes. */
function groupSums(plan: Plan, raised: Uint8Array): NodeId[][] {
  const { nodes } = plan;
  const groups: { bases: Set<NodeId>; sums: NodeId[] }[] = [];
  for (const id of findTransformable(plan, raised)) {
    const bases = sourcesOf(nodes[id]).map((source) => turnOf(nodes, source).node);
    // A transform runs at its first sum, so all that it turns has to be there by then.
    const fits = groups.find(
      (group) => bases.some((base) => group.bases.has(base)) && bases.every((base) => base < group.sums[0]),
    );
    if (fits) {
      fits.sums.push(id);
      for (const base of bases) fits.bases.add(base);
    } else {
      groups.push({ bases: new Set(bases), sums: [id] });
    }
  }
  return groups.map(({ sums }) => sums);
}

function findTransformable(plan: Plan, raised: Uint8Array): Set<NodeId> {
  const { nodes } = plan;
  const found = new Set(nodes.flatMap(({ op }, id) => (op === "weightedSum" && raised[id] ? [id] : [])));
  const rotationsOf = (id: NodeId): NodeId[] => sourcesOf(nodes[id]).filter((source) => nodes[source].op === "rotate");
  // A rotation that something else reads, too, is made anyway; leaving its sums out may do the same to other rotations.
  for (;;) {
    const uses = countUses(plan);
    for (const id of found) for (const rotation of rotationsOf(id)) uses[rotation]--;
    const spoilt = [...found].filter((id) => rotationsOf(id).some((rotation) => uses[rotation] > 0));
    if (spoilt.length === 0) return found;
    for (const id of spoilt) found.delete(id);
  }
}

function describeTransform(nodes: readonly PlanNode[], sums: readonly NodeId[]): Transform {
  const sources: { node: NodeId; steps: number[] }[] = [];
  const rotations = new Set<NodeId>();
  const indexIn = <T>(list: T[], matches: (item: T) => boolean, create: () => T): number => {
    const found = list.findIndex(matches);
    return found >= 0 ? found : list.push(create()) - 1;
  };
  const terms = sums.map((id) =>
    sourcesOf(nodes[id]).map((operand) => {
      const { node, steps } = turnOf(nodes, operand);
      if (node !== operand) rotations.add(operand);
      const source = indexIn(
        sources,
        (each) => each.node === node,
        () => ({ node, steps: [] }),
      );
      const step = indexIn(
        sources[source].steps,
        (each) => each === steps,
        () => steps,
      );
      return { source, step };
    }),
  );
  return { sources, sums, terms, rotations: [...rotations] };
}
