/** Writes ONNX files, byte for byte as the wire format says, for tests. */

export type Payload = Uint8Array | number | bigint;

/** Seven bits a byte, least significant first, the top bit set on all but the last. Negative numbers as their 64-bit two's complement. */
export function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  for (;;) {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 128);
    if (rest === 0n) return Uint8Array.from(bytes);
  }
}

export function bytes(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A number as a varint, bytes with their length before them. */
export function field(number: number, payload: Payload | string): Uint8Array {
  if (typeof payload === "string") return field(number, new TextEncoder().encode(payload));
  if (payload instanceof Uint8Array) return bytes(varint(number * 8 + 2), varint(payload.length), payload);
  return bytes(varint(number * 8), varint(payload));
}

export function fixed32(number: number, value: number): Uint8Array {
  return bytes(varint(number * 8 + 5), floats([value]));
}

export function floats(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

export function doubles(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(values).buffer);
}

export function int64s(values: readonly number[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
}

/** Float64 unless it holds int64s. */
export interface TensorSpec {
  readonly dims: readonly number[];
  readonly values: readonly number[];
  readonly integers?: boolean;
}

export const constant = (dims: readonly number[], values: readonly number[]): TensorSpec => ({ dims, values });
export const integers = (...values: number[]): TensorSpec => ({ dims: [values.length], values, integers: true });

export function tensorProto(name: string, { dims, values, integers: whole = false }: TensorSpec): Uint8Array {
  return bytes(
    ...dims.map((size) => field(1, size)),
    field(2, whole ? 7 : 11),
    field(8, name),
    field(9, whole ? int64s(values) : doubles(values)),
  );
}

export type AttributeSpec =
  | { readonly i: number }
  | { readonly f: number }
  | { readonly s: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly t: TensorSpec };

function attributeProto(name: string, spec: AttributeSpec): Uint8Array {
  const head = field(1, name);
  if ("i" in spec) return bytes(head, field(3, spec.i), field(20, 2));
  if ("f" in spec) return bytes(head, fixed32(2, spec.f), field(20, 1));
  if ("s" in spec) return bytes(head, field(4, spec.s), field(20, 3));
  if ("t" in spec) return bytes(head, field(5, tensorProto("", spec.t)), field(20, 4));
  if ("ints" in spec) return bytes(head, ...spec.ints.map((value) => field(8, value)), field(20, 7));
  return bytes(head, field(7, floats(spec.floats)), field(20, 6));
}

export interface NodeSpec {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, AttributeSpec>>;
  readonly name?: string;
  readonly domain?: string;
}

export function node(
  op: string,
  inputs: readonly string[],
  output: string | readonly string[],
  attributes: Readonly<Record<string, AttributeSpec>> = {},
): NodeSpec {
  return { op, inputs, outputs: typeof output === "string" ? [output] : output, attributes };
}

export function nodeProto({ op, inputs, outputs, attributes = {}, name = "", domain = "" }: NodeSpec): Uint8Array {
  return bytes(
    ...inputs.map((input) => field(1, input)),
    ...outputs.map((output) => field(2, output)),
    field(3, name),
    field(4, op),
    ...Object.entries(attributes).map(([key, spec]) => field(5, attributeProto(key, spec))),
    field(7, domain),
  );
}

export interface ModelSpec {
  readonly opset?: number;
  readonly nodes: readonly NodeSpec[];
  readonly constants?: Readonly<Record<string, TensorSpec>>;
  /** Of the input `x`; a text is a size that is not fixed. */
  readonly input: readonly (number | string)[];
  readonly output?: string;
  readonly functions?: readonly (readonly [domain: string, name: string])[];
}

export function valueProto(name: string, dims: readonly (number | string)[]): Uint8Array {
  const sizes = dims.map((size) => field(1, typeof size === "string" ? field(2, size) : field(1, size)));
  return bytes(field(1, name), field(2, field(1, bytes(field(1, 1), field(2, bytes(...sizes))))));
}

/** A whole file; its output is called `y` unless said otherwise. */
export function modelProto({
  opset = 13,
  nodes,
  constants = {},
  input,
  output = "y",
  functions = [],
}: ModelSpec): Uint8Array {
  const graph = bytes(
    ...nodes.map((spec) => field(1, nodeProto(spec))),
    field(2, "graph"),
    ...Object.entries(constants).map(([name, spec]) => field(5, tensorProto(name, spec))),
    field(11, valueProto("x", input)),
    field(12, valueProto(output, [])),
  );
  return bytes(
    field(1, 8),
    field(7, graph),
    field(8, bytes(field(1, ""), field(2, opset))),
    ...functions.map(([domain, name]) => field(25, bytes(field(1, name), field(10, domain)))),
  );
}
