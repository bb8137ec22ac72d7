/** An assembler of pickles and torch files: an encoder that shares no code with the reader under test. */

import { crc32 } from "node:zlib";

export type Part = string | readonly number[];

/** Bytes from opcodes (text, one byte a character) and numbers. */
export function bytesOf(...parts: readonly Part[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === "string" ? [...part].map((character) => character.charCodeAt(0)) : part)),
  );
}

export const text = (value: string): string => `X${String.fromCharCode(value.length, 0, 0, 0)}${value}`;
export const integer = (value: number): string => `J${little(value, 4)}`;
export const tuple = (...items: readonly string[]): string => `(${items.join("")}t`;
export const dict = (...items: readonly string[]): string => `}(${items.join("")}u`;
export const global = (module: string, name: string): string => `c${module}\n${name}\n`;

export function storage(key: string, length: number, type = "FloatStorage"): string {
  return `${tuple(text("storage"), global("torch", type), text(key), text("cpu"), integer(length))}Q`;
}

export function tensor(store: string, shape: readonly number[], strides: readonly number[]): string {
  const sizes = tuple(...shape.map(integer));
  const steps = tuple(...strides.map(integer));
  return `${global("torch._utils", "_rebuild_tensor_v2")}${tuple(store, integer(0), sizes, steps, "\x89", "}")}R`;
}

/** A layer object with parameters, modules and attributes. */
export function module(
  type: readonly [module: string, name: string],
  parameters: Readonly<Record<string, string>> = {},
  modules: Readonly<Record<string, string>> = {},
  attributes: Readonly<Record<string, string>> = {},
): string {
  const items = (values: Readonly<Record<string, string>>): string[] =>
    Object.entries(values).map(([key, value]) => text(key) + value);
  const state = dict(
    text("_parameters") + dict(...items(parameters)),
    text("_modules") + dict(...items(modules)),
    ...items(attributes),
  );
  return `${global(...type)})\x81${state}b`;
}

export const SEQUENTIAL = ["torch.nn.modules.container", "Sequential"] as const;
export const LINEAR = ["torch.nn.modules.linear", "Linear"] as const;

/** A torch file around the body of a pickle, without its PROTO and STOP. */
export function torchFile(body: string, storages: Readonly<Record<string, Uint8Array>> = {}): Uint8Array {
  return zipFile([
    ["m/data.pkl", bytesOf(`\x80\x02${body}.`)],
    ...Object.entries(storages).map(([key, data]) => [`m/data/${key}`, data] as const),
  ]);
}

/** A zip archive of entries as they are, with their checksums. */
export function zipFile(entries: readonly (readonly [name: string, data: Uint8Array])[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let offset = 0;
  const put = (...bytes: readonly (Uint8Array | string)[]): void => {
    for (const part of bytes) {
      parts.push(typeof part === "string" ? bytesOf(part) : part);
      offset += part.length;
    }
  };
  const directory: string[] = [];
  for (const [name, data] of entries) {
    const sizes = little(data.length, 4).repeat(2);
    const common = `\0\0\0\0\0\0\0\0${little(crc32(data), 4)}${sizes}${little(name.length, 2)}\0\0`;
    directory.push(`PK\x01\x02\x14\0\x14\0${common}\0\0\0\0\0\0\0\0\0\0${little(offset, 4)}${name}`);
    put(`PK\x03\x04\x14\0${common}${name}`, data);
  }
  const start = offset;
  put(...directory);
  const counts = little(entries.length, 2).repeat(2);
  put(`PK\x05\x06\0\0\0\0${counts}${little(offset - start, 4)}${little(start, 4)}\0\0`);
  const file = new Uint8Array(offset);
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

/** A file as torch wrote it before 1.6 around the body of a pickle, without its PROTO and STOP. */
export function legacyFile(
  body: string,
  storages: Readonly<Record<string, { readonly length: number; readonly bytes: Uint8Array }>> = {},
  { version = 1001, machine = dict(text("little_endian"), "\x88"), protocol = "\x80\x02" }: LegacyHeader = {},
): Uint8Array {
  const magic = `${protocol}\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.`;
  const pickles = [integer(version), machine, body, `](${Object.keys(storages).map(text).join("")}e`];
  const records = Object.values(storages).map(
    ({ length, bytes }) => `${little(length, 4)}\0\0\0\0${String.fromCharCode(...bytes)}`,
  );
  return bytesOf(magic, ...pickles.map((pickle) => `\x80\x02${pickle}.`), ...records);
}

export interface LegacyHeader {
  readonly version?: number;
  /** The pickle of facts about the machine. */
  readonly machine?: string;
  /** What the first pickle begins with. */
  readonly protocol?: string;
}

function little(value: number, bytes: number): string {
  return Array.from({ length: bytes }, (_, i) => String.fromCharCode((value >>> (8 * i)) & 255)).join("");
}
