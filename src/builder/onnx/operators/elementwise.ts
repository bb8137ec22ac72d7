/** Arithmetic, element by element, of the image's tensor with constants and with others. */

import { addLayer, linearLayer, polynomialLayer, scaleLayer, squareLayer } from "../../../layers/index.ts";
import { type Shape, sameShape, type Tensor } from "../../../plan/index.ts";
import { type Operation, unsupported, withBatch } from "../operation.ts";
import type { Activation } from "../values.ts";
import { constantOf } from "./broadcast.ts";

const MINUS_ONE: Tensor = { shape: [1], data: Float64Array.of(-1) };

/** What squares alone can make, beside the square. */
const POWERS: readonly number[] = [3, 4, 8];

export function add(operation: Operation): Activation {
  const [left, right] = operation.inputs;
  if (left?.kind === "activation" && right?.kind === "activation") return sum(operation, left, right);
  const at = left?.kind === "activation" ? 0 : 1;
  const x = operation.activation(at);
  const shift = constantOf(operation, 1 - at, x.shape);
  return biased(operation, at, x, shift) ?? scale(operation, x, { shift });
}

/** The bias of a MatMul that nobody else reads becomes its own: together they are PyTorch's Linear. */
function biased(operation: Operation, at: number, x: Activation, shift: Tensor): Activation | undefined {
  if (x.product?.name !== operation.node.inputs[at] || !operation.readsAlone(at)) return undefined;
  const { weight } = x.product;
  const [features] = weight.shape;
  if (shift.data.length !== features || shift.shape.at(-1) !== features) return undefined;
  const bias = { shape: [features], data: shift.data };
  return operation.layers.replace(x, () => linearLayer({ weight, bias }));
}

export function sub(operation: Operation): Activation {
  const [left, right] = operation.inputs;
  if (right?.kind === "activation") {
    const negative = scale(operation, right, { factor: MINUS_ONE });
    if (left?.kind === "activation") return sum(operation, left, negative);
    return scale(operation, negative, { shift: constantOf(operation, 0, right.shape) });
  }
  const x = operation.activation(0);
  const { shape, data } = constantOf(operation, 1, x.shape);
  return scale(operation, x, { shift: { shape, data: data.map((value) => -value) } });
}

export function mul(operation: Operation): Activation {
  const [left, right] = operation.inputs;
  if (left?.kind === "activation" && right?.kind === "activation") {
    if (left.source === right.source) return operation.emit(squareLayer, left);
    throw unsupported(
      operation,
      "multiplies two different tensors that both depend on the image: only x * x and products with constants run encrypted",
    );
  }
  const at = left?.kind === "activation" ? 0 : 1;
  const x = operation.activation(at);
  return scale(operation, x, { factor: constantOf(operation, 1 - at, x.shape) });
}

export function div(operation: Operation): Activation {
  if (operation.inputs[1]?.kind === "activation") {
    throw unsupported(operation, "divides by a tensor that depends on the image: only constants divide encrypted");
  }
  const x = operation.activation(0);
  const { shape, data } = constantOf(operation, 1, x.shape);
  if (data.includes(0)) throw unsupported(operation, "divides by zero");
  return scale(operation, x, { factor: { shape, data: data.map((value) => 1 / value) } });
}

export function neg(operation: Operation): Activation {
  return scale(operation, operation.activation(0), { factor: MINUS_ONE });
}

export function pow(operation: Operation): Activation {
  const x = operation.activation(0);
  const exponents = new Set(constantOf(operation, 1, x.shape).data);
  const [exponent] = exponents;
  if (exponents.size === 1 && exponent === 1) return x;
  if (exponents.size === 1 && exponent === 2) return operation.emit(squareLayer, x);
  if (exponents.size === 1 && POWERS.includes(exponent)) {
    const coefficients = Array.from({ length: exponent + 1 }, (_, power) => Number(power === exponent));
    return operation.emit(() => polynomialLayer({ coefficients }), x);
  }
  throw unsupported(
    operation,
    `raises to the power ${[...exponents].slice(0, 4).join(", ")}: squares and the powers 3, 4 and 8 run encrypted`,
  );
}

/** Sum of any number of inputs, which repeat to one shape. */
export function sumOf(operation: Operation): Activation {
  const constants = operation.inputs.flatMap((input, at) => (input?.kind === "activation" ? [] : [at]));
  const [first, ...others] = operation.inputs.flatMap((input) => (input?.kind === "activation" ? [input] : []));
  const total = others.length > 0 ? sum(operation, first, ...others) : (first ?? operation.activation(0));
  return constants.reduce((x, at) => scale(operation, x, { shift: constantOf(operation, at, x.shape) }), total);
}

function sum(operation: Operation, first: Activation, ...others: readonly Activation[]): Activation {
  const odd = others.find(({ shape }) => !sameShape(shape, first.shape));
  if (odd !== undefined) throw repeats(operation, first.shape, odd.shape);
  return operation.emit(addLayer, first, ...others);
}

function repeats(operation: Operation, left: Shape, right: Shape): Error {
  return unsupported(
    operation,
    `combines tensors of the shapes ${withBatch(left)} and ${withBatch(right)}: those that depend on the image must have the same`,
  );
}

function scale(
  operation: Operation,
  x: Activation,
  options: { readonly factor?: Tensor; readonly shift?: Tensor },
): Activation {
  return operation.emit(() => scaleLayer(options), x);
}
