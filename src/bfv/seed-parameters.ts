/** The encryption parameters of PyCrCNN's configuration files, as they stand there: `{ "m": 2048, "p": 13513511, "sec": 128, "base": 2 }`. */

import { findNttPrimes, MAX_PRIME_BITS, PRIME_CEILING } from "../math/index.ts";
import { maximumModulusBits, RING_DEGREES, type SecurityLevel } from "../rlwe/index.ts";
import { createNoiseEstimator } from "./noise-estimate.ts";
import type { BfvParameters } from "./parameters.ts";

/** What the configuration file has. */
export interface SeedEncryptionParameters {
  /** Ring degree N. */
  readonly m: number;
  /** Plain modulus t; it need not be a prime. */
  readonly p: number;
  /** Bits of security. */
  readonly sec: number;
  /** Base of the fractional encoder. */
  readonly base: number;
}

export interface ChosenParameters {
  readonly parameters: BfvParameters;
  /** Base for `createFractionalEncoder`. */
  readonly base: number;
  /**
   * True where there is a special prime, so that keys for relinearization and rotation can be made. Without one, products of ciphertexts
   * work, but each adds a component.
   */
  readonly relinearization: boolean;
  /** Bits of noise budget by the static estimate: of a fresh public-key encryption, and of the product of two (0: it cannot be decrypted). */
  readonly budget: { readonly fresh: number; readonly product: number };
}

const SECURITY_LEVELS: readonly number[] = [128, 192, 256];
/** A special prime costs 27 to 30 bits of modulus; it is kept where a relinearized product has at least this many bits of budget left. */
const LEAST_BUDGET_AFTER_PRODUCT = 1;

/**
 * Checks the values and chooses a chain: the whole modulus that the security table allows, in as few primes of at most 30 bits as hold it.
 * Other names in the object are not looked at.
 *
 * @throws RangeError or TypeError of one line that names the field.
 */
export function chooseSeedParameters(configuration: SeedEncryptionParameters): ChosenParameters {
  if (typeof configuration !== "object" || configuration === null || Array.isArray(configuration)) {
    throw new TypeError(
      `encryption_parameters must be an object with m, p, sec and base, got ${describe(configuration)}`,
    );
  }
  const { m, p, sec, base } = configuration;
  if (!SECURITY_LEVELS.includes(sec)) {
    throw fieldError("sec", `must be 128, 192 or 256 bits of security, got ${describe(sec)}`, sec);
  }
  if (!RING_DEGREES.includes(m)) {
    throw fieldError("m", `must be the ring degree, a power of two from 1024 to 65536, got ${describe(m)}`, m);
  }
  const security = sec as SecurityLevel;
  const limit = maximumModulusBits(m, security);
  if (limit === 0) {
    const smallest = RING_DEGREES.find((degree) => maximumModulusBits(degree, security) > 0);
    throw fieldError("m", `${m} carries no modulus with ${sec}-bit security; use m = ${smallest} or more`, m);
  }
  if (!Number.isInteger(p) || p < 2 || p >= PRIME_CEILING) {
    throw fieldError(
      "p",
      `must be the plain modulus, an integer from 2 to ${PRIME_CEILING - 1}, got ${describe(p)}`,
      p,
    );
  }
  if (!Number.isInteger(base) || base < 2 || 2 * Math.floor(base / 2) >= p) {
    throw fieldError("base", `must be an integer of 2 or more whose digits fit p = ${p}, got ${describe(base)}`, base);
  }

  const largest = findNttPrimes(m, primeBits(limit));
  // A prime that divides p would take it out of the modulus; no two as long as these divide one p.
  const primes = findNttPrimes(
    m,
    primeBits(limit),
    largest.filter((prime) => p % prime === 0),
  );
  const whole: BfvParameters = { ringDegree: m, dataPrimes: primes, specialPrimes: [], plainModulus: p, security };
  const fresh = budgetsOf(whole).fresh;
  if (fresh === 0) {
    // A fresh encryption's noise does not depend on p.
    const room = Math.floor(budgetsOf({ ...whole, plainModulus: 2 }).fresh + 1);
    throw fieldError(
      "p",
      `${p} leaves no noise budget in the ${limit} bits that m = ${m} has with ${sec}-bit security; use p below ` +
        `2^${room}, or a larger m`,
      p,
    );
  }
  // The first has the most bits: no digit is wider than it.
  const [special, ...data] = primes as [number, ...number[]];
  const split: BfvParameters = { ...whole, dataPrimes: data, specialPrimes: [special] };
  const relinearization =
    data.length > 0 && budgetsOf(split).relinearized >= LEAST_BUDGET_AFTER_PRODUCT && budgetsOf(split).fresh > 0;
  const parameters = relinearization ? split : whole;
  const { fresh: budget, product } = budgetsOf(parameters);
  return { parameters, base, relinearization, budget: { fresh: budget, product } };
}

/** Lengths that add up to the limit, as equal as may be, the longest first. */
function primeBits(limit: number): number[] {
  const count = Math.ceil(limit / MAX_PRIME_BITS);
  const longer = limit % count;
  return Array.from({ length: count }, (_, i) => Math.floor(limit / count) + (i < longer ? 1 : 0));
}

function budgetsOf(parameters: BfvParameters): { fresh: number; product: number; relinearized: number } {
  const noise = createNoiseEstimator(parameters);
  const fresh = noise.fresh("public");
  const product = noise.multiply(fresh, fresh);
  const relinearized = parameters.specialPrimes.length > 0 ? noise.budget(noise.relinearize(product)) : 0;
  return { fresh: noise.budget(fresh), product: noise.budget(product), relinearized };
}

function fieldError(field: string, problem: string, value: unknown): Error {
  const message = `encryption_parameters: ${field} ${problem}`;
  return typeof value === "number" ? new RangeError(message) : new TypeError(message);
}

function describe(value: unknown): string {
  return typeof value === "string" || Array.isArray(value)
    ? JSON.stringify(value).slice(0, 60)
    : String(value).slice(0, 60);
}
