/**
 * The oracle: polynomial arithmetic modulo X^N + 1 with BigInt, written as the textbook has it and for no other purpose than
 * to be believed. Slow; for tests, for teaching, for auditors.
 */

/** The representative of x in [0, q). */
export function mod(x: bigint, q: bigint): bigint {
  const remainder = x % q;
  return remainder < 0n ? remainder + q : remainder;
}

/** The representative of x in [-q/2, q/2). */
export function modCentred(x: bigint, q: bigint): bigint {
  const remainder = mod(x, q);
  return 2n * remainder >= q ? remainder - q : remainder;
}

/** base^exponent mod q by square and multiply. */
export function power(base: bigint, exponent: bigint, q: bigint): bigint {
  let result = 1n;
  let square = mod(base, q);
  for (let rest = exponent; rest > 0n; rest /= 2n) {
    if (rest % 2n === 1n) result = mod(result * square, q);
    square = mod(square * square, q);
  }
  return result;
}

/** The inverse of a modulo q by the extended Euclidean algorithm; a and q must be coprime. */
export function invert(a: bigint, q: bigint): bigint {
  let [remainder, nextRemainder] = [mod(a, q), q];
  let [coefficient, nextCoefficient] = [1n, 0n];
  while (nextRemainder !== 0n) {
    const quotient = remainder / nextRemainder;
    [remainder, nextRemainder] = [nextRemainder, remainder - quotient * nextRemainder];
    [coefficient, nextCoefficient] = [nextCoefficient, coefficient - quotient * nextCoefficient];
  }
  if (remainder !== 1n) throw new RangeError(`${a} has no inverse modulo ${q}`);
  return mod(coefficient, q);
}

/** The number whose lowest `bits` bits are those of `index` in reverse order. */
export function reverseBits(index: number, bits: number): number {
  let reversed = 0;
  for (let i = 0; i < bits; i++) reversed |= ((index >> i) & 1) << (bits - 1 - i);
  return reversed;
}

/**
 * The negacyclic transform by its definition: entry i is the polynomial at root^(2 * reverseBits(i) + 1).
 *
 * @param coefficients N coefficients, N a power of two.
 * @param root A primitive 2N-th root of unity modulo q.
 */
export function forwardNtt(coefficients: readonly bigint[], root: bigint, q: bigint): bigint[] {
  const bits = Math.log2(coefficients.length);
  return coefficients.map((_, index) => {
    const point = power(root, BigInt(2 * reverseBits(index, bits) + 1), q);
    return coefficients.reduceRight((value, coefficient) => mod(value * point + coefficient, q), 0n);
  });
}

/** The inverse of {@link forwardNtt}, by its definition. */
export function inverseNtt(values: readonly bigint[], root: bigint, q: bigint): bigint[] {
  const degree = values.length;
  const bits = Math.log2(degree);
  const scale = invert(BigInt(degree), q);
  const inverseRoot = invert(root, q);
  return values.map((_, exponent) => {
    let sum = 0n;
    for (let index = 0; index < degree; index++) {
      const point = BigInt((2 * reverseBits(index, bits) + 1) * exponent);
      sum += values[index]! * power(inverseRoot, point, q);
    }
    return mod(sum * scale, q);
  });
}

/** The product modulo X^N + 1 and q, coefficient by coefficient. */
export function multiply(left: readonly bigint[], right: readonly bigint[], q: bigint): bigint[] {
  const degree = left.length;
  const product = new Array<bigint>(degree).fill(0n);
  left.forEach((a, i) => {
    right.forEach((b, j) => {
      const wraps = i + j >= degree;
      const index = wraps ? i + j - degree : i + j;
      product[index] = product[index]! + (wraps ? -a * b : a * b);
    });
  });
  return product.map((coefficient) => mod(coefficient, q));
}

/** a(X^element) modulo X^N + 1 and q, for an odd element. */
export function automorphism(coefficients: readonly bigint[], element: number, q: bigint): bigint[] {
  const degree = coefficients.length;
  const image = new Array<bigint>(degree).fill(0n);
  coefficients.forEach((coefficient, exponent) => {
    const target = (exponent * element) % (2 * degree);
    image[target % degree] = mod(target >= degree ? -coefficient : coefficient, q);
  });
  return image;
}

/** The number in [0, product of moduli) with the given residues (Chinese remainder theorem). */
export function combineResidues(residues: readonly bigint[], moduli: readonly bigint[]): bigint {
  const product = moduli.reduce((left, right) => left * right, 1n);
  const sum = residues.reduce((total, residue, i) => {
    const others = product / moduli[i]!;
    return total + residue * others * invert(others, moduli[i]!);
  }, 0n);
  return mod(sum, product);
}

/** x / divisor rounded to the nearest integer, halves upwards; divisor > 0. */
export function divideRound(x: bigint, divisor: bigint): bigint {
  const doubled = 2n * x + divisor;
  const quotient = doubled / (2n * divisor);
  return doubled < 0n && doubled % (2n * divisor) !== 0n ? quotient - 1n : quotient;
}
