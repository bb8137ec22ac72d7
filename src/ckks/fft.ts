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
export function forwardFft({ size, cosines, sines }: Fft, real: Float64Array, imaginary: Float64Array): void {
  for (let m = 1, half = size / 2; m < size; m *= 2, half /= 2) {
    for (let i = 0; i < m; i++) {
      const c = cosines[m + i];
      const s = sines[m + i];
      for (let j = 2 * half * i, end = j + half; j < end; j++) {
        const x = real[j + half] * c - imaginary[j + half] * s;
        const y = real[j + half] * s + imaginary[j + half] * c;
        real[j + half] = real[j] - x;
        imaginary[j + half] = imaginary[j] - y;
        real[j] += x;
        imaginary[j] += y;
      }
    }
  }
}

/** Values to coefficients, in place, with the division by n. */
export function inverseFft({ size, cosines, sines }: Fft, real: Float64Array, imaginary: Float64Array): void {
  for (let m = size / 2, half = 1; m >= 1; m /= 2, half *= 2) {
    for (let i = 0; i < m; i++) {
      const c = cosines[m + i];
      const s = sines[m + i];
      for (let j = 2 * half * i, end = j + half; j < end; j++) {
        const x = real[j] - real[j + half];
        const y = imaginary[j] - imaginary[j + half];
        real[j] += real[j + half];
        imaginary[j] += imaginary[j + half];
        real[j + half] = x * c + y * s;
        imaginary[j + half] = y * c - x * s;
      }
    }
  }
  for (let j = 0; j < size; j++) {
    real[j] /= size;
    imaginary[j] /= size;
  }
}
