/** Loops over residues with an independent result for each index, in plain TypeScript. Ranges: see `kernels.ts`. */

import type { Modulus } from "../modular.ts";

export function add(
  words: Int32Array,
  out: number,
  left: number,
  right: number,
  count: number,
  { value: p }: Modulus,
): void {
  for (let i = 0; i < count; i++) {
    const sum = (words[left + i] + words[right + i] - p) | 0;
    words[out + i] = sum + ((sum >> 31) & p);
  }
}

export function subtract(
  words: Int32Array,
  out: number,
  left: number,
  right: number,
  count: number,
  { value: p }: Modulus,
): void {
  for (let i = 0; i < count; i++) {
    const difference = (words[left + i] - words[right + i]) | 0;
    words[out + i] = difference + ((difference >> 31) & p);
  }
}

export function negate(words: Int32Array, out: number, limb: number, count: number, { value: p }: Modulus): void {
  for (let i = 0; i < count; i++) {
    const negative = -words[limb + i] | 0;
    words[out + i] = negative + ((negative >> 31) & p);
  }
}

export function multiply(
  words: Int32Array,
  out: number,
  left: number,
  right: number,
  count: number,
  { value: p, inverse }: Modulus,
): void {
  for (let i = 0; i < count; i++) {
    const a = words[left + i];
    const b = words[right + i];
    let product = (Math.imul(a, b) - Math.imul((a * b * inverse) | 0, p)) | 0;
    product += (product >> 31) & p;
    product -= p;
    words[out + i] = product + ((product >> 31) & p);
  }
}

export function multiplyScalar(
  words: Int32Array,
  out: number,
  limb: number,
  scalar: number,
  count: number,
  { value: p }: Modulus,
): void {
  const quotient = scalar / p;
  for (let i = 0; i < count; i++) {
    const a = words[limb + i];
    let product = (Math.imul(a, scalar) - Math.imul((a * quotient) | 0, p)) | 0;
    product += (product >> 31) & p;
    product -= p;
    words[out + i] = product + ((product >> 31) & p);
  }
}

export function subtractMultiplyScalar(
  words: Int32Array,
  out: number,
  left: number,
  right: number,
  scalar: number,
  count: number,
  { value: p }: Modulus,
): void {
  const quotient = scalar / p;
  for (let i = 0; i < count; i++) {
    // Not negative: Shoup's product of a negative number may fall below -p, where one correction is not enough.
    let a = (words[left + i] - words[right + i]) | 0;
    a += (a >> 31) & p;
    let product = (Math.imul(a, scalar) - Math.imul((a * quotient) | 0, p)) | 0;
    product += (product >> 31) & p;
    product -= p;
    words[out + i] = product + ((product >> 31) & p);
  }
}

export function permute(words: Int32Array, out: number, limb: number, permutation: Int32Array): void {
  for (let i = 0; i < permutation.length; i++) words[out + i] = words[limb + permutation[i]];
}

export function setSigned(words: Int32Array, out: number, values: Int32Array, { value: p }: Modulus): void {
  for (let i = 0; i < values.length; i++) words[out + i] = values[i] + ((values[i] >> 31) & p);
}
