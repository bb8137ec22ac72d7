/** Writes safetensors files, also wrong ones. */

export interface Entry {
  readonly dtype: unknown;
  readonly shape: unknown;
  readonly data_offsets: unknown;
}

/** A file of a header, as a value or as text, and elements. `length` is what it claims of its header. */
export function safetensors(header: unknown, data: Uint8Array, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file;
}

/** A well-formed file of float32 tensors. */
export function floatTensors(
  tensors: Readonly<Record<string, readonly [shape: readonly number[], values: readonly number[]]>>,
): Uint8Array {
  let at = 0;
  const header: Record<string, Entry> = {};
  for (const [name, [shape, values]] of Object.entries(tensors)) {
    header[name] = { dtype: "F32", shape, data_offsets: [at, at + 4 * values.length] };
    at += 4 * values.length;
  }
  return safetensors(
    header,
    new Uint8Array(Float32Array.from(Object.values(tensors).flatMap(([, values]) => values)).buffer),
  );
}
