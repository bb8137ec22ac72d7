/** Operators that no encrypted layer stands for and whose output has the shape of its input: they keep their place, under PyTorch's names. */

import { adviceFor } from "../../source/refusals.ts";
import type { Operation } from "../operation.ts";
import type { Activation } from "../values.ts";

/** Functions of each element, and what normalises along an axis. */
const KINDS: readonly (readonly [operator: string, kind: string, ...attributes: string[]])[] = [
  ["PRelu", "PReLU"],
  ["Celu", "CELU", "alpha"],
  ["Selu", "SELU", "alpha", "gamma"],
  ["HardSigmoid", "Hardsigmoid", "alpha", "beta"],
  ["Softsign", "Softsign"],
  ["Softmax", "Softmax", "axis"],
  ["LogSoftmax", "LogSoftmax", "axis"],
  ["LayerNormalization", "LayerNorm", "axis", "epsilon", "stash_type"],
  ["GroupNormalization", "GroupNorm", "epsilon", "num_groups", "stash_type"],
  ["InstanceNormalization", "InstanceNorm", "epsilon"],
];

/** By operator. */
export const REFUSED: ReadonlyMap<string, (operation: Operation) => Activation> = new Map(
  KINDS.map(([operator, kind, ...attributes]) => [
    operator,
    (operation: Operation): Activation => {
      operation.attributes.ignore(...attributes);
      return refuse(operation, kind);
    },
  ]),
);

/** A layer of this kind that cannot run encrypted, in the place of the node. */
export function refuse(operation: Operation, kind: string): Activation {
  const x = operation.activation(0);
  return operation.refuse(kind, `does not run encrypted: ${adviceFor(kind)}`, x.shape, x);
}
