/** Arrays of any rank, element by element: slow and obvious. */

import type { NodeSpec } from "../writer.ts";

export interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export const size = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** An array of which each element is computed from its index. */
export function build(shape: readonly number[], value: (index: number[]) => number): Values {
  const data = Array.from({ length: size(shape) }, (_, at) => {
    const index: number[] = [];
    let rest = at;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index.unshift(rest % shape[axis]!);
      rest = Math.floor(rest / shape[axis]!);
    }
    return value(index);
  });
  return { shape, data };
}

/** An element; zero where an index leaves the array. */
export function at({ shape, data }: Values, index: readonly number[]): number {
  if (index.some((value, axis) => value < 0 || value >= shape[axis]!)) return 0;
  return data[index.reduce((sum, value, axis) => sum * shape[axis]! + value, 0)]!;
}

/** All indices of a shape. */
export function indices(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, length) => all.flatMap((head) => Array.from({ length }, (_, i) => [...head, i])),
    [[]],
  );
}

export function broadcast(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(...shapes.map((shape) => shape[axis - rank + shape.length] ?? 1)),
  );
}

/** numpy's rule: missing axes are put in front, axes of size 1 are repeated. */
export function repeated(array: Values, index: readonly number[]): number {
  const own = index.slice(index.length - array.shape.length);
  return at(
    array,
    own.map((value, axis) => (array.shape[axis] === 1 ? 0 : value)),
  );
}

export const elementwise =
  (of: (left: number, right: number) => number) =>
  (left: Values, right: Values): Values =>
    build(broadcast([left.shape, right.shape]), (index) => of(repeated(left, index), repeated(right, index)));

export interface Attributes {
  int(name: string, otherwise: number): number;
  ints(name: string): readonly number[] | undefined;
  float(name: string, otherwise: number): number;
  text(name: string, otherwise: string): string;
}

export function attributesOf({ attributes = {} }: NodeSpec): Attributes {
  const get = (name: string): { readonly [kind: string]: unknown } => attributes[name] ?? {};
  return {
    int: (name, otherwise) => (get(name).i as number | undefined) ?? otherwise,
    ints: (name) => get(name).ints as readonly number[] | undefined,
    float: (name, otherwise) => (get(name).f === undefined ? otherwise : Math.fround(get(name).f as number)),
    text: (name, otherwise) => (get(name).s as string | undefined) ?? otherwise,
  };
}

export type Apply = (inputs: readonly Values[], attributes: Attributes, node: NodeSpec) => Values | readonly Values[];
