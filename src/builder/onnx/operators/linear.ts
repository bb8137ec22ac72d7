/** Gemm and MatMul. */

import { addLayer, linearLayer, permuteLayer, scaleLayer } from "../../../layers/index.ts";
import type { Tensor } from "../../../plan/index.ts";
import { invalid, mixesImages, type Operation, unsupported, withBatch } from "../operation.ts";
import type { Activation } from "../values.ts";
import { constantOf } from "./broadcast.ts";
import { reshaped } from "./spatial.ts";

/** alpha A' B' + beta C, with A' and B' transposed or not. */
export function gemm(operation: Operation): Activation {
  const { attributes } = operation;
  const alpha = attributes.float("alpha", 1);
  const beta = attributes.float("beta", 1);
  const [transposeA, transposeB] = [attributes.flag("transA", false), attributes.flag("transB", false)];
  if (operation.inputs[0]?.kind !== "activation") {
    throw mixesImages(operation, "a constant matrix stands to the left of them");
  }
  const x = operation.activation(0);
  if (transposeA) throw mixesImages(operation, "transA makes the batch a feature");
  if (x.shape.length !== 1) {
    throw invalid(operation, `multiplies a tensor of shape ${withBatch(x.shape)}, expected a matrix: flatten it first`);
  }
  const matrix = requireMatrix(operation, operation.weight(1, "matrix B"));
  const weight = scaled(transposeB ? matrix : transposed(matrix), alpha);
  const c = operation.inputs[2];
  if (c?.kind === "activation") {
    const product = operation.emit(() => linearLayer({ weight }), x);
    const scalar = { shape: [1], data: [beta] };
    const added = beta === 1 ? c : operation.emit(() => scaleLayer({ factor: scalar }), c);
    return operation.emit(addLayer, product, added);
  }
  const [features] = weight.shape;
  const shift = c && constantOf(operation, 2, [features]);
  if (shift === undefined || beta === 0) return operation.emit(() => linearLayer({ weight }), x);
  const bias = {
    shape: [features],
    data: Float64Array.from({ length: features }, (_, i) => beta * shift.data[shift.data.length === 1 ? 0 : i]),
  };
  return operation.emit(() => linearLayer({ weight, bias }), x);
}

/** numpy's matmul of the image's tensor with a constant matrix, on either side. */
export function matMul(operation: Operation): Activation {
  const [left, right] = operation.inputs;
  if (left?.kind === "activation" && right?.kind === "activation") {
    throw unsupported(
      operation,
      "multiplies two tensors that both depend on the image (attention): that does not run encrypted",
    );
  }
  return left?.kind === "activation" ? timesMatrix(operation) : matrixTimes(operation);
}

function timesMatrix(operation: Operation): Activation {
  const x = operation.activation(0);
  if (x.shape.length === 0) throw mixesImages(operation, "it sums over them");
  const constant = operation.weight(1, "matrix");
  // A vector is a matrix of one column, which the result does not keep.
  const vector = constant.shape.length === 1;
  const matrix = requireMatrix(
    operation,
    vector ? { shape: [...constant.shape, 1], data: constant.data } : withoutOnes(constant, x),
  );
  const weight = transposed(matrix);
  const product = operation.emit(() => linearLayer({ weight }), x);
  if (vector) return reshaped(operation, product, product.shape.slice(0, -1));
  return { ...product, product: { weight, name: operation.node.outputs[0] } };
}

/** M x: along the last axis but one, so that axis is brought to the end. */
function matrixTimes(operation: Operation): Activation {
  const x = operation.activation(1);
  const axes = x.shape.length;
  if (axes < 2) throw mixesImages(operation, "a constant matrix stands to the left of them");
  const weight = requireMatrix(operation, withoutOnes(operation.weight(0, "matrix"), x));
  const swap = [...Array.from({ length: axes - 1 }, (_, axis) => axis), axes, axes - 1];
  const turned = operation.emit(() => permuteLayer(swap), x);
  const product = operation.emit(() => linearLayer({ weight }), turned);
  return operation.emit(() => permuteLayer(swap), product);
}

/** A stack of one matrix as that matrix, where the other operand has as many axes. */
function withoutOnes({ shape, data }: Tensor, x: Activation): Tensor {
  const extra = shape.length <= x.shape.length + 1 ? Math.max(0, shape.length - 2) : 0;
  return shape.slice(0, extra).every((size) => size === 1) ? { shape: shape.slice(extra), data } : { shape, data };
}

function requireMatrix(operation: Operation, matrix: Tensor): Tensor {
  if (matrix.shape.length === 2 && !matrix.shape.includes(0)) return matrix;
  throw unsupported(operation, `multiplies by a constant of shape ${matrix.shape.join("x")}: only matrices run`);
}

function transposed({ shape, data }: Tensor): Tensor {
  const [rows, columns] = shape;
  const turned = new Float64Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = data[row * columns + column];
  }
  return { shape: [columns, rows], data: turned };
}

function scaled({ shape, data }: Tensor, factor: number): Tensor {
  return factor === 1 ? { shape, data } : { shape, data: data.map((value) => factor * value) };
}
