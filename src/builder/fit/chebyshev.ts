/** Polynomials in Chebyshev's basis on an interval: there fits are well conditioned, whatever the interval. */

/** The ends of an interval, the smaller one first. */
export type Interval = readonly [low: number, high: number];

/** sum of coefficients[k] T_k(t), where t runs from -1 to 1 on the interval. */
export interface ChebyshevSeries {
  readonly interval: Interval;
  readonly coefficients: readonly number[];
}

/** Where x lies on the interval: -1 at its lower end, 1 at its upper end. */
export function toUnit([low, high]: Interval, x: number): number {
  return (2 * x - low - high) / (high - low);
}

export function fromUnit([low, high]: Interval, t: number): number {
  return (low + high + t * (high - low)) / 2;
}

/** T_0(t) … T_degree(t). */
export function chebyshevRow(degree: number, t: number): number[] {
  const row = [1, t];
  for (let k = 2; k <= degree; k++) row.push(2 * t * row[k - 1] - row[k - 2]);
  return row.slice(0, degree + 1);
}

/** By Clenshaw's recurrence. */
export function evaluateSeries({ interval, coefficients }: ChebyshevSeries, x: number): number {
  const t = toUnit(interval, x);
  let [next, afterNext] = [0, 0];
  for (let k = coefficients.length - 1; k > 0; k--) {
    [next, afterNext] = [coefficients[k] + 2 * t * next - afterNext, next];
  }
  return coefficients[0] + t * next - afterNext;
}

/** The same polynomial as coefficients of 1, x, x^2, …. */
export function toMonomials({ interval: [low, high], coefficients }: ChebyshevSeries): number[] {
  // t = scale x + shift
  const scale = 2 / (high - low);
  const shift = -(low + high) / (high - low);
  const timesT = (p: readonly number[]): number[] =>
    Array.from({ length: p.length + 1 }, (_, i) => shift * (p[i] ?? 0) + (i > 0 ? scale * p[i - 1] : 0));
  let [previous, current]: [number[], number[]] = [[1], timesT([1])];
  const sum = new Array<number>(coefficients.length).fill(0);
  for (const coefficient of coefficients) {
    for (const [i, value] of previous.entries()) sum[i] += coefficient * value;
    const following = timesT(current).map((value, i) => 2 * value - (previous[i] ?? 0));
    [previous, current] = [current, following];
  }
  return sum;
}
