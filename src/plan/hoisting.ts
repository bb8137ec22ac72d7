/**
 * Which rotations are made together, and which are left undivided for the sums that use them.
 *
 * All rotations of one node share one decomposition. Where they are used in weighted sums alone, they stay raised, P times larger and modulo
 * QP, and each sum is divided once instead of each rotation: the double hoisting of Bossuat et al. (EUROCRYPT 2021, section 4).
 */

import { type NodeId, type Plan, sourcesOf } from "./plan.ts";

export interface Hoisting {
  /** Rotations by the node that they turn, in order. */
  readonly rotations: ReadonlyMap<NodeId, readonly NodeId[]>;
  /** Nodes whose rotations, and whose own uses in raised sums, are raised. */
  readonly raisedSources: ReadonlySet<NodeId>;
  /** Weighted sums of raised terms. */
  readonly raisedSums: ReadonlySet<NodeId>;
}

export function planHoisting({ nodes }: Plan): Hoisting {
  const rotations = new Map<NodeId, NodeId[]>();
  for (const [id, node] of nodes.entries()) {
    if (node.op !== "rotate") continue;
    const group = rotations.get(node.source);
    if (group) group.push(id);
    else rotations.set(node.source, [id]);
  }
  /** The node that a term turns, or the term's source itself. */
  const originOf = (source: NodeId): NodeId => {
    const node = nodes[source];
    return node.op === "rotate" ? node.source : source;
  };
  const raisedSources = new Set(rotations.keys());
  for (const node of nodes) {
    if (node.op === "weightedSum") continue;
    for (const source of sourcesOf(node)) {
      const used = nodes[source];
      if (used.op === "rotate") raisedSources.delete(used.source);
    }
  }
  const sums = nodes.flatMap((node, id) =>
    node.op === "weightedSum" ? [{ id, origins: node.terms.map((term) => originOf(term.source)) }] : [],
  );
  // A sum is raised with all of its terms or not at all, which may take the raised form from other sums in turn.
  for (let changed = true; changed; ) {
    changed = false;
    for (const { origins } of sums) {
      if (origins.every((origin) => raisedSources.has(origin))) continue;
      for (const origin of origins) changed = raisedSources.delete(origin) || changed;
    }
  }
  const raisedSums = sums.filter(({ origins }) => raisedSources.has(origins[0])).map(({ id }) => id);
  return { rotations, raisedSources, raisedSums: new Set(raisedSums) };
}
