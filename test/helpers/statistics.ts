/** Moments and the chi-square statistic of samples. */

export function mean(samples: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += samples[i];
  return sum / samples.length;
}

/** The mean square distance from the mean. */
export function variance(samples: ArrayLike<number>): number {
  const centre = mean(samples);
  return mean(Array.from(samples, (sample) => (sample - centre) ** 2));
}

/** The root of the mean square, about zero. */
export function rootMeanSquare(samples: ArrayLike<number>): number {
  return Math.sqrt(mean(Array.from(samples, (sample) => sample * sample)));
}

/**
 * Sum of (observed - expected)^2 / expected. With k bins of known probability it has mean k - 1 and standard deviation
 * sqrt(2 (k - 1)) when the samples follow the distribution.
 */
export function chiSquare(observed: ArrayLike<number>, probabilities: readonly number[]): number {
  let count = 0;
  for (let i = 0; i < observed.length; i++) count += observed[i];
  return probabilities.reduce((sum, probability, bin) => {
    const expected = count * probability;
    return sum + (observed[bin] - expected) ** 2 / expected;
  }, 0);
}
