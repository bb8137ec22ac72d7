/**
 * The complex transform behind the canonical embedding: a polynomial of degree below n modulo X^n - i, evaluated at its n roots, by
 * the same merged butterflies as the NTT.
 *
 * Its roots of unity are built from + - * / and square roots alone, so that every engine computes the same encodings:
 * `Math.cos` may differ in the last bit from one to another.
 */

/** Tables for one size. */
export interface Fft {
  /** n, a power of two. */
  readonly size: number;
  /** Twiddle of node i of layer with m nodes, at index m + i. */
  readonly cosines: Float64Array;
  readonly sines: Float64Array;
  /** Output k is the value at exp(2 pi sqrt(-1) exponents[k] / (4 n)); all exponents are 1 modulo 4. */
  readonly exponents: Int32Array;
}

export function createFft(size: number): Fft {
  const order = 4 * size;
  const { cosine, sine } = rootsOfUnity(order);
  const cosines = new Float64Array(size);
  const sines = new Float64Array(size);
  // The nodes of the tree of moduli X^(n/m) - w: exponents of w, starting from w = i.
  let nodes: number[] = [order / 4];
  for (let m = 1; m < size; m *= 2) {
    const children: number[] = [];
    for (const [i, exponent] of nodes.entries()) {
      cosines[m + i] = cosine[exponent / 2];
      sines[m + i] = sine[exponent / 2];
      children.push(exponent / 2, exponent / 2 + order / 2);
    }
    nodes = children;
  }
  return { size, cosines, sines, exponents: Int32Array.from(nodes) };
}

/** cos and sin of 2 pi k / order for k < order, by halving the angle of i and multiplying up. */
function rootsOfUnity(order: number): { cosine: Float64Array; sine: Float64Array } {
  const cosine = new Float64Array(order);
  const sine = new Float64Array(order);
  cosine[0] = 1;
  if (order >= 2) cosine[order / 2] = -1;
  let [x, y] = [0, 1];
  for (let step = order / 4; step >= 1; step /= 2) {
    cosine[step] = x;
    sine[step] = y;
    // cos(a/2) = sqrt((1 + cos a) / 2), sin(a/2) = sin a / (2 cos(a/2)); no cancellation for a <= pi/2.
    const half = Math.sqrt((1 + x) / 2);
    [x, y] = [half, y / (2 * half)];
  }
  // Each index is its highest power of two plus a smaller index: at most log2(order) products deep.
  for (let high = 2; high < order; high *= 2) {
    for (let low = 1; low < high; low++) {
      cosine[high + low] = cosine[high] * cosine[low] - sine[high] * sine[low];
      sine[high + low] = cosine[high] * sine[low] + sine[high] * cosine[low];
    }
  }
  return { cosine, sine };
}

/** Coefficients to values, in place. Both arrays have length n. */
export function forwardFft(fft: Fft, real: Float64Array, imaginary: Float64Array): void {
  const { size } = fft;
  let m = 1;
  if (Math.log2(size) % 2 === 1) {
    forwardTop(fft, real, imaginary);
    m = 2;
  }
  for (; m < size; m *= 4) forwardTwoLayers(fft, m, real, imaginary);
}

/** The layer with one node. */
function forwardTop({ size, cosines, sines }: Fft, real: Float64Array, imaginary: Float64Array): void {
  const half = size / 2;
  const c = cosines[1];
  const s = sines[1];
  for (let j = 0; j < half; j++) {
    const x = real[j + half] * c - imaginary[j + half] * s;
    const y = real[j + half] * s + imaginary[j + half] * c;
    real[j + half] = real[j] - x;
    imaginary[j + half] = imaginary[j] - y;
    real[j] += x;
    imaginary[j] += y;
  }
}

/** The layers with m and with 2 m nodes at once, which halves the traffic: each quarter of a block is read and written once. */
function forwardTwoLayers({ size, cosines, sines }: Fft, m: number, real: Float64Array, imaginary: Float64Array): void {
  const quarter = size / (4 * m);
  for (let i = 0; i < m; i++) {
    const [c, s] = [cosines[m + i], sines[m + i]];
    const [cLow, sLow] = [cosines[2 * (m + i)], sines[2 * (m + i)]];
    const [cHigh, sHigh] = [cosines[2 * (m + i) + 1], sines[2 * (m + i) + 1]];
    for (let j0 = 4 * quarter * i, end = j0 + quarter; j0 < end; j0++) {
      const j1 = j0 + quarter;
      const j2 = j1 + quarter;
      const j3 = j2 + quarter;
      const x2 = real[j2] * c - imaginary[j2] * s;
      const y2 = real[j2] * s + imaginary[j2] * c;
      const x3 = real[j3] * c - imaginary[j3] * s;
      const y3 = real[j3] * s + imaginary[j3] * c;
      const lowX = real[j1] + x3;
      const lowY = imaginary[j1] + y3;
      const highX = real[j1] - x3;
      const highY = imaginary[j1] - y3;
      const x1 = lowX * cLow - lowY * sLow;
      const y1 = lowX * sLow + lowY * cLow;
      const x4 = highX * cHigh - highY * sHigh;
      const y4 = highX * sHigh + highY * cHigh;
      const [x0, y0] = [real[j0], imaginary[j0]];
      real[j0] = x0 + x2 + x1;
      imaginary[j0] = y0 + y2 + y1;
      real[j1] = x0 + x2 - x1;
      imaginary[j1] = y0 + y2 - y1;
      real[j2] = x0 - x2 + x4;
      imaginary[j2] = y0 - y2 + y4;
      real[j3] = x0 - x2 - x4;
      imaginary[j3] = y0 - y2 - y4;
    }
  }
}

/** Values to coefficients, in place, with the division by n. */
export function inverseFft(fft: Fft, real: Float64Array, imaginary: Float64Array): void {
  const { size } = fft;
  let m = size / 4;
  for (; m >= 1; m /= 4) inverseTwoLayers(fft, m, real, imaginary);
  if (m === 0.5) inverseTop(fft, real, imaginary);
  // Exact: n is a power of two.
  const scale = 1 / size;
  for (let j = 0; j < size; j++) {
    real[j] *= scale;
    imaginary[j] *= scale;
  }
}

/** Undoes {@link forwardTop}, but for a factor of 2. */
function inverseTop({ size, cosines, sines }: Fft, real: Float64Array, imaginary: Float64Array): void {
  const half = size / 2;
  const c = cosines[1];
  const s = sines[1];
  for (let j = 0; j < half; j++) {
    const x = real[j] - real[j + half];
    const y = imaginary[j] - imaginary[j + half];
    real[j] += real[j + half];
    imaginary[j] += imaginary[j + half];
    real[j + half] = x * c + y * s;
    imaginary[j + half] = y * c - x * s;
  }
}

/** Undoes {@link forwardTwoLayers}, but for a factor of 4. */
function inverseTwoLayers({ size, cosines, sines }: Fft, m: number, real: Float64Array, imaginary: Float64Array): void {
  const quarter = size / (4 * m);
  for (let i = 0; i < m; i++) {
    const [c, s] = [cosines[m + i], sines[m + i]];
    const [cLow, sLow] = [cosines[2 * (m + i)], sines[2 * (m + i)]];
    const [cHigh, sHigh] = [cosines[2 * (m + i) + 1], sines[2 * (m + i) + 1]];
    for (let j0 = 4 * quarter * i, end = j0 + quarter; j0 < end; j0++) {
      const j1 = j0 + quarter;
      const j2 = j1 + quarter;
      const j3 = j2 + quarter;
      const lowX = real[j0] - real[j1];
      const lowY = imaginary[j0] - imaginary[j1];
      const highX = real[j2] - real[j3];
      const highY = imaginary[j2] - imaginary[j3];
      const x0 = real[j0] + real[j1];
      const y0 = imaginary[j0] + imaginary[j1];
      const x1 = lowX * cLow + lowY * sLow;
      const y1 = lowY * cLow - lowX * sLow;
      const x2 = real[j2] + real[j3];
      const y2 = imaginary[j2] + imaginary[j3];
      const x3 = highX * cHigh + highY * sHigh;
      const y3 = highY * cHigh - highX * sHigh;
      real[j0] = x0 + x2;
      imaginary[j0] = y0 + y2;
      real[j1] = x1 + x3;
      imaginary[j1] = y1 + y3;
      real[j2] = (x0 - x2) * c + (y0 - y2) * s;
      imaginary[j2] = (y0 - y2) * c - (x0 - x2) * s;
      real[j3] = (x1 - x3) * c + (y1 - y3) * s;
      imaginary[j3] = (y1 - y3) * c - (x1 - x3) * s;
    }
  }
}
