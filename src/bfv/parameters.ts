/**
 * BFV parameters and the context that is computed from them once (Fan and Vercauteren, "Somewhat Practical Fully Homomorphic Encryption",
 * ePrint 2012/144; conventions as in SEAL 4).
 */

import { findNttPrimes, MAX_PRIME_BITS, PRIME_CEILING } from "../math/index.ts";
import {
  type ContextOptions,
  createRlweContext,
  modulusBits,
  type RlweContext,
  type RlweParameters,
} from "../rlwe/index.ts";
import { auxiliaryCandidates, auxiliaryCounts, createProductMaps, type ProductMaps } from "./product-maps.ts";
import { createScaledMessages, type ScaledMessage } from "./scaled-message.ts";

export interface BfvParameters extends RlweParameters {
  /** t, from 2 to 2^30 - 2^24. Plaintexts are polynomials modulo t; batching wants a prime that is 1 modulo 2N. */
  readonly plainModulus: number;
}

/** What all parties compute with. Holds no key. */
export interface BfvContext extends RlweContext {
  readonly parameters: BfvParameters;
  /** t. */
  readonly plainModulus: number;
  /** Constants for scaling messages to Q/t, by level. */
  scaledMessage(level: number): ScaledMessage;
  /** Constants for products of ciphertexts; made for a level when it is first used. */
  productMaps(level: number): ProductMaps;
}

/**
 * Checks parameters and computes the context. The ring gets auxiliary primes for products of ciphertexts.
 *
 * @throws CrcnnError INSECURE_PARAMETERS above the security table, OUT_OF_PRIMES; RangeError for malformed values.
 */
export function createBfvContext(
  parameters: BfvParameters,
  options: Omit<ContextOptions, "auxiliaryPrimes" | "label"> = {},
): BfvContext {
  const { ringDegree, dataPrimes, specialPrimes, plainModulus } = parameters;
  requirePlainModulus(parameters);
  const lengths = new Array<number>(auxiliaryCandidates(parameters)).fill(MAX_PRIME_BITS);
  const candidates = findNttPrimes(ringDegree, lengths, [...dataPrimes, ...specialPrimes]);
  const { hps, hpsOverQ } = auxiliaryCounts(parameters, candidates);
  const context = createRlweContext(parameters, {
    ...options,
    auxiliaryPrimes: candidates.slice(0, Math.max(hps, hpsOverQ)),
    label: `bfv${plainModulus}`,
  });
  const scaled = createScaledMessages(context.ring, plainModulus, dataPrimes);
  const maps = new Map<number, ProductMaps>();
  return {
    ...context,
    parameters,
    plainModulus,
    scaledMessage(level) {
      context.dataBasis(level);
      return scaled[level]!;
    },
    productMaps(level) {
      let found = maps.get(level);
      if (!found) {
        found = createProductMaps(context, plainModulus, level);
        maps.set(level, found);
      }
      return found;
    },
  };
}

function requirePlainModulus({ plainModulus, dataPrimes }: BfvParameters): void {
  if (!Number.isInteger(plainModulus) || plainModulus < 2 || plainModulus >= PRIME_CEILING) {
    throw new RangeError(`plainModulus must be an integer from 2 to ${PRIME_CEILING - 1}, got ${plainModulus}`);
  }
  const common = dataPrimes.find((prime) => plainModulus % prime === 0);
  if (common !== undefined) {
    throw new RangeError(`plainModulus ${plainModulus} must not be a multiple of the data prime ${common}`);
  }
  const bits = modulusBits(dataPrimes);
  if (bits <= Math.log2(plainModulus) + 1) {
    throw new RangeError(
      `plainModulus ${plainModulus} leaves no room for noise in a modulus of ${bits.toFixed(1)} bits; use a smaller one, or more dataPrimes`,
    );
  }
}
