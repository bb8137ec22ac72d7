/**
 * Which nodes the encrypted interpreter makes in raised form, P times larger and modulo QP, so that one division by P serves many of
 * them: a key switch leaves its result raised, sums of raised values stay raised, and whatever needs a plain ciphertext divides then, once.
 */

import { type NodeId, type Plan, sourcesOf } from "./plan.ts";

export interface Hoisting {
  /** Rotations by the node that they turn, in order: they share one decomposition. */
  readonly rotations: ReadonlyMap<NodeId, readonly NodeId[]>;
  /** 1 for each node that is made raised. */
  readonly raised: Uint8Array;
}

export function planHoisting({ nodes }: Plan): Hoisting {
  const rotations = new Map<NodeId, NodeId[]>();
  const raised = new Uint8Array(nodes.length);
  for (const [id, node] of nodes.entries()) {
    switch (node.op) {
      case "rotate": {
        raised[id] = 1;
        const group = rotations.get(node.source);
        if (group) group.push(id);
        else rotations.set(node.source, [id]);
        break;
      }
      case "relinearize":
        raised[id] = 1;
        break;
      case "weightedSum":
      case "add":
        raised[id] = sourcesOf(node).some((source) => raised[source] === 1) ? 1 : 0;
        break;
      default:
    }
  }
  return { rotations, raised };
}
