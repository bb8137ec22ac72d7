/** PNG images as tensors. The pixels are decoded by fast-png, behind checks that bound what it allocates. */

import { type DecodedPng, decode, hasPngSignature } from "fast-png";
import { CrcnnError } from "../errors/index.ts";
import { countValues, type ImageTensor } from "./image-tensor.ts";
import { inflate } from "./inflate.ts";

const SIGNATURE_BYTES = 8;
/** Length, type and CRC-32 around a chunk's data. */
const CHUNK_OVERHEAD = 12;
const CHANNELS_OF_COLOUR_TYPE: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [2, 3],
  [3, 1],
  [4, 2],
  [6, 4],
]);
/** The chunks that decide the pixels; the others (text, profiles, animation) are never looked into. */
const PIXEL_CHUNKS: ReadonlySet<string> = new Set(["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]);

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly channels: number;
  readonly interlaced: boolean;
}

/** True where the bytes begin as a PNG file does. */
export function isPng(bytes: Uint8Array): boolean {
  return bytes.length >= SIGNATURE_BYTES && hasPngSignature(bytes.subarray(0, SIGNATURE_BYTES));
}

/**
 * Reads a PNG as `[channels, height, width]` with values in [0, 1]: each sample divided by the largest one of its bit depth.
 *
 * Greyscale has one channel, colour and palette images have three. An alpha channel or transparent colour is dropped and the
 * stored colours are taken, as Pillow's `convert("RGB")` does, so an image reads as it did when the network was trained.
 *
 * @throws CrcnnError INVALID_FILE (damaged, cut off), UNSUPPORTED_FILE (interlaced with samples below a byte), LIMIT_EXCEEDED.
 */
export function readPng(bytes: Uint8Array): ImageTensor {
  const chunks = listChunks(bytes);
  const header = readHeader(chunks);
  countValues([header.channels, header.height, header.width]);
  if (header.interlaced && header.depth < 8) {
    throw new CrcnnError(
      "UNSUPPORTED_FILE",
      "it is an interlaced PNG with samples below a byte: save it not interlaced",
    );
  }
  const compressed = join(chunks.filter((chunk) => chunk.type === "IDAT").map((chunk) => chunk.data));
  const needed = filteredBytes(header);
  if (inflate("zlib", compressed, needed).length !== needed) {
    throw new CrcnnError(
      "INVALID_FILE",
      `its pixel data is cut off: ${header.width}x${header.height} pixels are declared`,
    );
  }
  return toTensor(decodePixels(bytes, chunks));
}

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
  /** The chunk with its length, type and CRC-32. */
  readonly whole: Uint8Array;
}

function listChunks(bytes: Uint8Array): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  let at = SIGNATURE_BYTES;
  while (at + CHUNK_OVERHEAD <= bytes.length) {
    const length = view.getUint32(at);
    const end = at + CHUNK_OVERHEAD + length;
    if (end > bytes.length) break;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (PIXEL_CHUNKS.has(type)) {
      chunks.push({ type, data: bytes.subarray(at + 8, at + 8 + length), whole: bytes.subarray(at, end) });
    }
    if (type === "IEND") return chunks;
    at = end;
  }
  throw new CrcnnError("INVALID_FILE", "it is a PNG that is cut off: it has no end chunk");
}

function readHeader(chunks: readonly Chunk[]): Header {
  const [first] = chunks;
  const headers = chunks.filter((chunk) => chunk.type === "IHDR");
  if (first?.type !== "IHDR" || first.data.length !== 13 || headers.length !== 1) {
    throw new CrcnnError("INVALID_FILE", "it is a damaged PNG: it does not begin with one IHDR chunk of 13 bytes");
  }
  const view = new DataView(first.data.buffer, first.data.byteOffset, 13);
  const depth = view.getUint8(8);
  const channels = CHANNELS_OF_COLOUR_TYPE.get(view.getUint8(9));
  if (channels === undefined || ![1, 2, 4, 8, 16].includes(depth) || (channels > 1 && depth < 8)) {
    throw new CrcnnError("INVALID_FILE", `it is a damaged PNG: colour type ${view.getUint8(9)} with ${depth} bits`);
  }
  return { width: view.getUint32(0), height: view.getUint32(4), depth, channels, interlaced: view.getUint8(12) !== 0 };
}

/** The bytes of a PNG's scan lines with their filter bytes, before compression (PNG specification, 7.2, 8.1 and 9). */
function filteredBytes({ width, height, depth, channels, interlaced }: Header): number {
  const plane = (columns: number, rows: number): number =>
    columns === 0 ? 0 : rows * (1 + Math.ceil((columns * depth * channels) / 8));
  if (!interlaced) return plane(width, height);
  let total = 0;
  for (const [left, top, right, down] of ADAM7) {
    total += plane(Math.ceil((width - left) / right), Math.ceil((height - top) / down));
  }
  return total;
}

/** Adam7's passes: first column, first row, column step, row step. */
const ADAM7: readonly (readonly [number, number, number, number])[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

function decodePixels(bytes: Uint8Array, chunks: readonly Chunk[]): DecodedPng {
  const slim = join([bytes.subarray(0, SIGNATURE_BYTES), ...chunks.map((chunk) => chunk.whole)]);
  try {
    return decode(slim, { checkCrc: true });
  } catch (cause) {
    throw new CrcnnError("INVALID_FILE", "it is a damaged PNG: copy the file again", { cause });
  }
}

function toTensor({ width, height, depth, channels, data, palette }: DecodedPng): ImageTensor {
  const pixels = width * height;
  const colours = palette === undefined || channels !== 1 ? undefined : palette;
  const kept = colours !== undefined || channels >= 3 ? 3 : 1;
  const values = new Float64Array(kept * pixels);
  const largest = colours === undefined ? 2 ** depth - 1 : 255;
  for (let pixel = 0; pixel < pixels; pixel++) {
    const first = depth < 8 ? packedSample(data, pixel, width, depth) : (data[pixel * channels] ?? 0);
    for (let channel = 0; channel < kept; channel++) {
      const sample = colours?.[first]?.[channel] ?? (kept === 1 ? first : data[pixel * channels + channel]);
      if (sample === undefined || (colours !== undefined && first >= colours.length)) {
        throw new CrcnnError("INVALID_FILE", `it is a damaged PNG: palette colour ${first} is not defined`);
      }
      values[channel * pixels + pixel] = sample / largest;
    }
  }
  return { shape: [kept, height, width], data: values };
}

/** The sample of a pixel where several share a byte, the leftmost in the high bits; rows begin at a byte. */
function packedSample(data: ArrayLike<number>, pixel: number, width: number, depth: number): number {
  const bit = (pixel % width) * depth;
  const byte = data[Math.floor(pixel / width) * Math.ceil((width * depth) / 8) + (bit >> 3)] ?? 0;
  return (byte >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
