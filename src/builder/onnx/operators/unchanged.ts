/** Operators that give back the image's tensor as it is, or only say which shape it has. */

import { type Operation, unsupported } from "../operation.ts";
import { isFloatType, typeName } from "../tensors.ts";
import type { Activation, IntegerConstant, Size } from "../values.ts";

/** Identity, and Dropout of a trained network. */
export function unchanged(operation: Operation): Activation {
  operation.attributes.ignore("ratio", "seed");
  const training = operation.inputs[2];
  if (training !== undefined && operation.numbers(2, "training mode")?.[0] !== 0) {
    throw unsupported(operation, "drops at random: export the network after model.eval()");
  }
  return operation.activation(0);
}

/** To another precision: everything here is computed in double precision. */
export function cast(operation: Operation): Activation {
  const to = operation.attributes.integer("to");
  operation.attributes.ignore("saturate");
  if (isFloatType(to)) return operation.activation(0);
  throw unsupported(operation, `rounds the image's tensor to ${typeName(to)}: only floats run encrypted`);
}

export function shapeOf(operation: Operation): IntegerConstant {
  const { attributes, inputs } = operation;
  const [value] = inputs;
  const sizes: readonly Size[] = value?.kind === "activation" ? ["batch", ...value.shape] : (value?.shape ?? []);
  const [start, end] = [attributes.integer("start", 0), attributes.integer("end", sizes.length)];
  const data = sizes.slice(start, end);
  return { kind: "integers", shape: [data.length], data };
}
