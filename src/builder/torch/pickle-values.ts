/**
 * The inert data that a pickle turns into. Nothing in it is callable: a class is its name, an object its class's name
 * and its state. Dictionaries are Maps, so a key such as `__proto__` is a key like any other.
 */

import type { ElementType } from "../source/element-types.ts";
import { printable } from "../source/text.ts";

/** A strided view of a storage; every element that it reaches lies inside. */
export interface TensorView {
  readonly kind: "tensor";
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

export type PickleKey = string | number | bigint | boolean;
export type PickleDict = Map<PickleKey, PickleValue>;

export interface PickleTuple {
  readonly kind: "tuple";
  readonly items: readonly PickleValue[];
}

export interface PickleSet {
  readonly kind: "set";
  readonly items: PickleValue[];
}

/** The name of a layer class, of torch or of the user. */
export interface ModuleClass {
  readonly kind: "class";
  readonly module: string;
  readonly name: string;
}

/** A layer object: its class and, once the pickle has filled it, its attributes. */
export interface ModuleObject {
  readonly kind: "module";
  readonly type: ModuleClass;
  state: PickleDict | undefined;
}

/** An allow-listed function, by the name that the unpickler knows it by. */
export interface KnownFunction {
  readonly kind: "function";
  readonly name: string;
  apply(args: readonly PickleValue[]): PickleValue;
}

/** torch.FloatStorage and its like: the element type of a storage. */
export interface StorageType {
  readonly kind: "storage-type";
  readonly dtype: ElementType;
}

/** A torch constant such as torch.float16. */
export interface TorchConstant {
  readonly kind: "constant";
  readonly name: string;
}

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleDict
  | PickleTuple
  | PickleSet
  | ModuleClass
  | ModuleObject
  | KnownFunction
  | StorageType
  | TorchConstant
  | Storage
  | TensorView;

/** Raw elements of one or several tensors. */
export interface Storage {
  readonly kind: "storage";
  readonly dtype: ElementType;
  readonly bytes: Uint8Array;
  readonly littleEndian: boolean;
  /** Number of elements. */
  readonly length: number;
}

/** The full name of a class, for messages. */
export function className({ module, name }: { readonly module: string; readonly name: string }): string {
  return `${module}.${name}`;
}

/** What a value is, in words, for messages. */
export function describe(value: PickleValue): string {
  if (value === null) return "None";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Map) return "a dictionary";
  if (value instanceof Uint8Array) return "bytes";
  if (typeof value !== "object") {
    return typeof value === "string" ? "a string" : typeof value === "boolean" ? "a boolean" : `the number ${value}`;
  }
  switch (value.kind) {
    case "module":
      return `a ${printable(className(value.type))}`;
    case "class":
      return `the class ${printable(className(value))}`;
    case "function":
    case "constant":
      return value.name;
    case "storage-type":
      return "a storage type";
    default:
      return `a ${value.kind}`;
  }
}

type Kind = Extract<PickleValue, { readonly kind: string }>["kind"];

/** The value where it is of this kind, undefined otherwise. */
export function ofKind<K extends Kind>(
  value: PickleValue | undefined,
  kind: K,
): Extract<PickleValue, { readonly kind: K }> | undefined {
  if (typeof value !== "object" || value === null || !("kind" in value) || value.kind !== kind) return undefined;
  return value as Extract<PickleValue, { readonly kind: K }>;
}
