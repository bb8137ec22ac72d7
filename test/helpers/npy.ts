/** Reads the reference arrays that were recorded from PyTorch. */

import { readFileSync } from "node:fs";

/** A C-ordered float32 or float64 array from a version 1 .npy file under test/fixtures, widened to doubles. */
export function readNpy(fixture: string): { shape: number[]; data: Float64Array } {
  const bytes = readFileSync(new URL(`../fixtures/${fixture}`, import.meta.url));
  const headerEnd = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString("latin1", 10, headerEnd);
  const fields = /'descr': '<f([48])', 'fortran_order': False, 'shape': \(([\d, ]*)\)/.exec(header);
  if (bytes.toString("latin1", 1, 6) !== "NUMPY" || bytes[6] !== 1 || fields === null) {
    throw new Error(`${fixture} is not a C-ordered float array of .npy version 1: ${header}`);
  }
  const [, width, sizes] = fields;
  const body = Uint8Array.from(bytes.subarray(headerEnd)).buffer;
  return {
    shape: sizes.match(/\d+/g)?.map(Number) ?? [],
    data: width === "4" ? Float64Array.from(new Float32Array(body)) : new Float64Array(body),
  };
}

/** The arrays of a batch, one by one, without the batch axis. */
export function unbatch(batch: { shape: number[]; data: Float64Array }): { shape: number[]; data: Float64Array }[] {
  const [images, ...shape] = batch.shape;
  const size = batch.data.length / images;
  return Array.from({ length: images }, (_, image) => ({
    shape,
    data: batch.data.slice(image * size, (image + 1) * size),
  }));
}
