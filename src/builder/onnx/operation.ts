/** One node of the graph, as the readers of operators see it. */

import { CrcnnError } from "../../errors/index.ts";
import type { Layer, Shape, Tensor } from "../../plan/index.ts";
import { printable } from "../source/text.ts";
import { type ElementBudget, spendElements } from "../source/weights.ts";
import { type Attributes, attributesOf } from "./attributes.ts";
import type { LayerList } from "./layer-list.ts";
import { MAX_MADE } from "./limits.ts";
import type { OnnxNode } from "./messages.ts";
import type { Activation, IntegerConstant, Value } from "./values.ts";

export interface Operation {
  readonly node: OnnxNode;
  /** What messages call the node: `node 3 "/2/Relu" (Relu)`. */
  readonly label: string;
  readonly opset: number;
  /** Images in a batch, where the file fixes it. */
  readonly batch: number | undefined;
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  readonly layers: LayerList;
  readonly budget: ElementBudget;
  /** Counts the elements of a constant that is made while reading. @throws CrcnnError LIMIT_EXCEEDED. */
  spendMade(elements: number): void;
  /** True where the node alone reads this input. */
  readsAlone(input: number): boolean;

  /** An input that depends on the image. */
  activation(input: number): Activation;
  /** An input that must be constant floats, counted as weights; undefined where it is left out. */
  floats(input: number, what: string): Tensor | undefined;
  /** As {@link floats}, of an input that cannot be left out. */
  weight(input: number, what: string): Tensor;
  /** An input of integers that do not depend on the image; undefined where it is left out. */
  integers(input: number, what: string): IntegerConstant | undefined;
  /** As {@link integers}, of numbers that are known. */
  numbers(input: number, what: string): readonly number[] | undefined;
  /** Adds a layer that reads these; what it finds wrong is the file's fault, and says which node it is. */
  emit(make: () => Layer, ...reads: readonly Activation[]): Activation;
  /** Adds a layer that cannot run encrypted. `reason` follows the layer's name. */
  refuse(kind: string, reason: string, shape: Shape, ...reads: readonly Activation[]): Activation;
}

export interface OperationContext {
  readonly index: number;
  readonly opset: number;
  readonly batch: number | undefined;
  readonly layers: LayerList;
  readonly budget: ElementBudget;
  readonly made: ElementBudget;
  readsAlone(input: number): boolean;
}

/** What messages call a node. */
export function nodeLabel({ name, operator }: OnnxNode, index: number): string {
  return `node ${index} ${name === "" ? "" : `"${printable(name)}" `}(${printable(operator)})`;
}

export function createOperation(
  node: OnnxNode,
  inputs: readonly (Value | undefined)[],
  { index, made, ...context }: OperationContext,
): Operation {
  const label = nodeLabel(node, index);
  const position = node.name === "" ? String(index) : printable(node.name);

  const operation: Operation = {
    ...context,
    node,
    label,
    inputs,
    attributes: attributesOf(node, label),
    spendMade(elements) {
      made.spent += elements;
      if (made.spent <= MAX_MADE) return;
      throw new CrcnnError(
        "LIMIT_EXCEEDED",
        `${label}: more than ${MAX_MADE} elements of constants are made up to here`,
      );
    },
    activation(input) {
      const value = inputs[input];
      if (value?.kind === "activation") return value;
      throw value === undefined
        ? invalid(operation, `has no input ${input}`)
        : unsupported(operation, `takes a constant as input ${input}, where only a tensor of the image runs`);
    },
    floats(input, what) {
      const value = inputs[input];
      if (value === undefined) return undefined;
      if (value.kind === "activation") {
        throw unsupported(operation, `has a ${what} that depends on the image: only constant ones run encrypted`);
      }
      if (value.kind === "integers") throw invalid(operation, `has a ${what} of integers, expected floats`);
      spendElements(context.budget, value.shape, label);
      return value;
    },
    weight(input, what) {
      const tensor = operation.floats(input, what);
      if (tensor === undefined) throw invalid(operation, `has no ${what}`);
      return tensor;
    },
    integers(input, what) {
      const value = inputs[input];
      if (value === undefined || value.kind === "integers") return value;
      throw value.kind === "activation"
        ? unsupported(operation, `has a ${what} that depends on the image: export the network with fixed ones`)
        : invalid(operation, `has a ${what} of floats, expected integers`);
    },
    numbers(input, what) {
      const data = operation.integers(input, what)?.data;
      if (data?.includes("batch")) throw mixesImages(operation, `its ${what} depends on the number of images`);
      return data as readonly number[] | undefined;
    },
    emit: (make, ...reads) => context.layers.add({ position, label, make, reads }),
    refuse: (kind, reason, shape, ...reads) => context.layers.refuse({ position, label, kind, reason, reads, shape }),
  };
  return operation;
}

/** The error for a node that the standard does not allow. */
export function invalid({ label }: Operation, problem: string): CrcnnError {
  return new CrcnnError("INVALID_FILE", `${label} ${problem}`);
}

/** The error for a node that is right, and cannot be run here. */
export function unsupported({ label }: Operation, problem: string): CrcnnError {
  return new CrcnnError("UNSUPPORTED_LAYER", `${label} ${problem}`);
}

/** The error for a node whose output for one image depends on the others of its batch. */
export function mixesImages(operation: Operation, how: string): CrcnnError {
  return unsupported(
    operation,
    `mixes the images of a batch (${how}), and each is encrypted by itself: keep axis 0 for the batch`,
  );
}

/** An axis counted from 0, of one that may be counted from the end. */
export function axisOf(operation: Operation, axis: number, rank: number): number {
  const from = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(from) && from >= 0 && from < rank) return from;
  throw invalid(operation, `names the axis ${axis} of a tensor with ${rank} axes`);
}

/** Axes of an activation counted without the batch axis, in the order given. */
export function imageAxes(operation: Operation, axes: readonly number[], { shape }: Activation): number[] {
  return axes.map((axis) => {
    const from = axisOf(operation, axis, shape.length + 1);
    if (from === 0) throw mixesImages(operation, "it works along axis 0");
    return from - 1;
  });
}

/** A shape with the batch axis, for messages. */
export function withBatch(shape: Shape): string {
  return ["N", ...shape].join("x");
}
