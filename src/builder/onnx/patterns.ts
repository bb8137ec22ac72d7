/**
 * Activations that exporters write as several nodes: SiLU (x times its sigmoid), Hardswish, Mish, and GELU with the error function or with tanh
 * (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016). Each is found at its last node, a product.
 */

import type { OnnxNode } from "./messages.ts";

export interface Pattern {
  /** PyTorch's class. */
  readonly kind: "SiLU" | "Hardswish" | "Mish" | "GELU" | "GELU by tanh";
  /** The value that it is applied to. */
  readonly input: string;
}

/** How a graph is asked about its values. */
export interface GraphView {
  /** The node that makes a value. */
  maker(name: string): OnnxNode | undefined;
  /** The number that a constant of one element is. */
  scalar(name: string): number | undefined;
}

/** Single precision constants, and half precision ones less exactly. */
const TOLERANCE = 1e-3;

/** The pattern that ends with this node, if there is one. */
export function patternAt(node: OnnxNode, graph: GraphView): Pattern | undefined {
  if (node.operator !== "Mul" || node.inputs.length !== 2) return undefined;
  const [left, right] = node.inputs;
  return gated(left, right, graph) ?? gated(right, left, graph) ?? gelu(node, graph);
}

/** x times a function of x. */
function gated(x: string, gate: string, graph: GraphView): Pattern | undefined {
  const maker = graph.maker(gate);
  const [argument] = maker?.inputs ?? [];
  if (maker?.operator === "Sigmoid" && argument === x) return { kind: "SiLU", input: x };
  if (maker?.operator === "HardSigmoid" && argument === x && isSixth(maker)) return { kind: "Hardswish", input: x };
  const inner = maker?.operator === "Tanh" && argument !== undefined ? graph.maker(argument) : undefined;
  return inner?.operator === "Softplus" && inner.inputs[0] === x ? { kind: "Mish", input: x } : undefined;
}

/** PyTorch's hardsigmoid has the slope 1/6, the operator 0.2 where it does not say. */
function isSixth({ attributes }: OnnxNode): boolean {
  const [slope, shift] = [attributes.get("alpha")?.float ?? 0.2, attributes.get("beta")?.float ?? 0.5];
  return near(slope, 1 / 6) && near(shift, 0.5);
}

/** x (1 + erf(x / sqrt 2)) / 2, in any order of the products. */
function gelu(node: OnnxNode, graph: GraphView): Pattern | undefined {
  for (const factor of factorsOf(node, graph)) {
    const [one, bend] = sortedTerms(graph.maker(factor), graph);
    if (one === undefined || bend === undefined || !near(one, 1)) continue;
    const maker = graph.maker(bend);
    const [argument] = maker?.inputs ?? [];
    if (argument === undefined) continue;
    const found =
      maker?.operator === "Erf"
        ? ({ kind: "GELU", input: multipleOf(argument, Math.SQRT1_2, graph) } as const)
        : maker?.operator === "Tanh"
          ? ({ kind: "GELU by tanh", input: tanhArgument(argument, graph) } as const)
          : undefined;
    const input = found?.input;
    if (found && input !== undefined && isHalfOf(node, input, factor, graph)) return { kind: found.kind, input };
  }
  return undefined;
}

/** The operands of a product and of the products among them, one level deep. */
function factorsOf(node: OnnxNode, graph: GraphView): string[] {
  return node.inputs.flatMap((name) => {
    const maker = graph.maker(name);
    return maker?.operator === "Mul" ? [name, ...maker.inputs] : [name];
  });
}

/** A sum of a number and a value. */
function sortedTerms(
  node: OnnxNode | undefined,
  graph: GraphView,
): readonly [number: number | undefined, value: string | undefined] {
  if (node?.operator !== "Add") return [undefined, undefined];
  const [left, right] = node.inputs;
  const [first, second] = [graph.scalar(left), graph.scalar(right)];
  return first === undefined ? [second, left] : [first, right];
}

/** The value that this one is a certain multiple of. */
function multipleOf(name: string, factor: number, graph: GraphView): string | undefined {
  const node = graph.maker(name);
  if (node?.inputs.length !== 2) return undefined;
  const [left, right] = node.inputs;
  const [first, second] = [graph.scalar(left), graph.scalar(right)];
  if (node.operator === "Div" && second !== undefined) return near(1 / second, factor) ? left : undefined;
  if (node.operator !== "Mul") return undefined;
  if (second !== undefined) return near(second, factor) ? left : undefined;
  return first !== undefined && near(first, factor) ? right : undefined;
}

/** sqrt(2 / pi) (x + 0.044715 x^3). */
function tanhArgument(name: string, graph: GraphView): string | undefined {
  const sum = multipleOf(name, Math.sqrt(2 / Math.PI), graph);
  const node = sum === undefined ? undefined : graph.maker(sum);
  if (node?.operator !== "Add") return undefined;
  const [left, right] = node.inputs;
  for (const [x, term] of [
    [left, right],
    [right, left],
  ]) {
    const cube = multipleOf(term, 0.044715, graph);
    if (cube !== undefined && isCube(cube, x, graph)) return x;
  }
  return undefined;
}

function isCube(name: string, x: string, graph: GraphView): boolean {
  const node = graph.maker(name);
  const [left, right] = node?.inputs ?? [];
  if (node?.operator === "Pow") return left === x && graph.scalar(right) === 3;
  if (node?.operator !== "Mul") return false;
  const isSquare = (candidate: string): boolean => {
    const square = graph.maker(candidate);
    const [base, exponent] = square?.inputs ?? [];
    if (base !== x) return false;
    return (
      (square?.operator === "Mul" && exponent === x) || (square?.operator === "Pow" && graph.scalar(exponent) === 2)
    );
  };
  return (left === x && isSquare(right)) || (right === x && isSquare(left));
}

/** True where the product is x times the factor times one half. */
function isHalfOf(node: OnnxNode, x: string, factor: string, graph: GraphView): boolean {
  const found = { x: 0, factor: 0, number: 1 };
  const visit = (name: string, deeper: boolean): boolean => {
    const number = graph.scalar(name);
    const maker = graph.maker(name);
    if (name === x) found.x++;
    else if (name === factor) found.factor++;
    else if (number !== undefined) found.number *= number;
    else if (deeper && maker?.operator === "Mul") return maker.inputs.every((operand) => visit(operand, false));
    else return false;
    return true;
  };
  return (
    node.inputs.every((name) => visit(name, true)) && found.x === 1 && found.factor === 1 && near(found.number, 0.5)
  );
}

function near(value: number, wanted: number): boolean {
  return Math.abs(value - wanted) <= TOLERANCE * Math.abs(wanted);
}
