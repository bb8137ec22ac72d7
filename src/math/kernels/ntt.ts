/**
 * The number-theoretic transform in plain TypeScript: Cooley–Tukey forward, Gentleman–Sande inverse, merged with the powers of
 * the 2N-th root (Longa and Naehrig, CANS 2016), two layers a pass.
 *
 * Values stay signed and lazy inside: Shoup's product of any int32 v with a root w is v*w - trunc(v*w/p)*p, which lies in
 * (-p, p) give or take the rounding of the quotient (below 2^-20 p), and the sum of two such values still fits 31 bits.
 */

import type { NttTable } from "../ntt-table.ts";

/** Transforms `table.ringDegree` words at `offset`, from [0, p) to [0, p). */
export function forwardNtt(words: Int32Array, offset: number, table: NttTable): void {
  const { ringDegree, roots, rootQuotients } = table;
  const p = table.modulus.value;
  const p2 = 2 * p;
  let blocks = 1;
  if (Math.log2(ringDegree) % 2 === 1) {
    forwardSingleLayer(words, offset, table);
    blocks = 2;
  }
  for (; 4 * blocks <= ringDegree; blocks *= 4) {
    const quarter = ringDegree / (4 * blocks);
    for (let block = 0; block < blocks; block++) {
      const left = 2 * blocks + 2 * block;
      const w = roots[blocks + block];
      const wq = rootQuotients[blocks + block];
      const wl = roots[left];
      const wlq = rootQuotients[left];
      const wr = roots[left + 1];
      const wrq = rootQuotients[left + 1];
      const start = offset + 4 * quarter * block;
      for (let i = start, end = start + quarter; i < end; i++) {
        // Inputs in (-2p, 2p); the two that are not multiplied come back to [-p, p) first.
        let a = words[i];
        let b = words[i + quarter];
        const c = words[i + 2 * quarter];
        const d = words[i + 3 * quarter];
        a = a - p + ((a >> 31) & p2);
        b = b - p + ((b >> 31) & p2);
        const cw = (Math.imul(c, w) - Math.imul((c * wq) | 0, p)) | 0;
        const dw = (Math.imul(d, w) - Math.imul((d * wq) | 0, p)) | 0;
        let e = (a + cw) | 0;
        const f = (b + dw) | 0;
        let g = (a - cw) | 0;
        const h = (b - dw) | 0;
        e = e - p + ((e >> 31) & p2);
        g = g - p + ((g >> 31) & p2);
        const fw = (Math.imul(f, wl) - Math.imul((f * wlq) | 0, p)) | 0;
        const hw = (Math.imul(h, wr) - Math.imul((h * wrq) | 0, p)) | 0;
        words[i] = e + fw;
        words[i + quarter] = e - fw;
        words[i + 2 * quarter] = g + hw;
        words[i + 3 * quarter] = g - hw;
      }
    }
  }
  const { inverse } = table.modulus;
  for (let i = offset, end = offset + ringDegree; i < end; i++) {
    // The excess of a Shoup product may reach past ±2p. The half keeps the quotient off the integers: its floor is exact.
    const x = words[i];
    words[i] = x - Math.imul(Math.floor((x + 0.5) * inverse), p);
  }
}

function forwardSingleLayer(words: Int32Array, offset: number, table: NttTable): void {
  const p = table.modulus.value;
  const half = table.ringDegree / 2;
  const w = table.roots[1];
  const wq = table.rootQuotients[1];
  for (let i = offset, end = offset + half; i < end; i++) {
    const a = words[i];
    const b = words[i + half];
    const bw = (Math.imul(b, w) - Math.imul((b * wq) | 0, p)) | 0;
    words[i] = a + bw;
    words[i + half] = a - bw;
  }
}

/** Transforms `table.ringDegree` words at `offset` back, from [0, p) to [0, p), divided by N. */
export function inverseNtt(words: Int32Array, offset: number, table: NttTable): void {
  const { ringDegree, inverseRoots, inverseRootQuotients } = table;
  const p = table.modulus.value;
  const p2 = 2 * p;
  let quarter = 1;
  let blocks = ringDegree / 4;
  for (; blocks >= 1; blocks /= 4, quarter *= 4) {
    for (let block = 0; block < blocks; block++) {
      const left = 2 * blocks + 2 * block;
      const wl = inverseRoots[left];
      const wlq = inverseRootQuotients[left];
      const wr = inverseRoots[left + 1];
      const wrq = inverseRootQuotients[left + 1];
      const w = inverseRoots[blocks + block];
      const wq = inverseRootQuotients[blocks + block];
      const start = offset + 4 * quarter * block;
      for (let i = start, end = start + quarter; i < end; i++) {
        // Inputs in [-p, p), as every output below is.
        const a = words[i];
        const b = words[i + quarter];
        const c = words[i + 2 * quarter];
        const d = words[i + 3 * quarter];
        let e = (a + b) | 0;
        const f = (a - b) | 0;
        let g = (c + d) | 0;
        const h = (c - d) | 0;
        e = e - p + ((e >> 31) & p2);
        g = g - p + ((g >> 31) & p2);
        const fw = (Math.imul(f, wl) - Math.imul((f * wlq) | 0, p)) | 0;
        const hw = (Math.imul(h, wr) - Math.imul((h * wrq) | 0, p)) | 0;
        const sum = (e + g) | 0;
        const difference = (e - g) | 0;
        const cross = (fw + hw) | 0;
        const crossDifference = (fw - hw) | 0;
        words[i] = sum - p + ((sum >> 31) & p2);
        words[i + quarter] = cross - p + ((cross >> 31) & p2);
        words[i + 2 * quarter] = (Math.imul(difference, w) - Math.imul((difference * wq) | 0, p)) | 0;
        words[i + 3 * quarter] = (Math.imul(crossDifference, w) - Math.imul((crossDifference * wq) | 0, p)) | 0;
      }
    }
  }
  if (Math.log2(ringDegree) % 2 === 1) inverseSingleLayer(words, offset, table);
  const scale = table.inverseDegree;
  const scaleQuotient = scale / p;
  for (let i = offset, end = offset + ringDegree; i < end; i++) {
    const x = words[i];
    let y = (Math.imul(x, scale) - Math.imul((x * scaleQuotient) | 0, p)) | 0;
    y += (y >> 31) & p;
    y -= p;
    words[i] = y + ((y >> 31) & p);
  }
}

function inverseSingleLayer(words: Int32Array, offset: number, table: NttTable): void {
  const p = table.modulus.value;
  const half = table.ringDegree / 2;
  const w = table.inverseRoots[1];
  const wq = table.inverseRootQuotients[1];
  for (let i = offset, end = offset + half; i < end; i++) {
    const a = words[i];
    const b = words[i + half];
    const difference = (a - b) | 0;
    words[i] = a + b;
    words[i + half] = (Math.imul(difference, w) - Math.imul((difference * wq) | 0, p)) | 0;
  }
}
