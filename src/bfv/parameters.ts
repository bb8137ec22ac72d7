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

export interface BfvContextOptions extends Omit<ContextOptions, "auxiliaryPrimes" | "label"> {
  /** Products of components that are summed before one scaling: as many as a product of two ciphertexts has by default. */
  readonly productTerms?: number | undefined;
}

/**
 * Checks parameters and computes the context. The ring gets auxiliary primes for products of ciphertexts.
 *
 * @throws CrcnnError INSECURE_PARAMETERS above the security table, OUT_OF_PRIMES; RangeError for malformed values.
 */
export function createBfvContext(parameters: BfvParameters, options: BfvContextOptions = {}): BfvContext {
  const { plainModulus, ...shared } = parameters;
  const [context] = createBfvContexts(shared, [plainModulus], options);
  return context!;
}

/**
 * One context for each of several plain moduli, on one ring: keys serve them all, ciphertexts belong to one. Residues modulo several
 * primes are integers modulo their product.
 *
 * @throws As {@link createBfvContext}.
 */
export function createBfvContexts(
  parameters: RlweParameters,
  plainModuli: readonly number[],
  { productTerms, ...options }: BfvContextOptions = {},
): BfvContext[] {
  const { ringDegree, dataPrimes, specialPrimes } = parameters;
  for (const plainModulus of plainModuli) requirePlainModulus({ dataPrimes, plainModulus });
  const largest = { ringDegree, dataPrimes, plainModulus: Math.max(...plainModuli), productTerms };
  const lengths = new Array<number>(auxiliaryCandidates(largest)).fill(MAX_PRIME_BITS);
  const candidates = findNttPrimes(ringDegree, lengths, [...dataPrimes, ...specialPrimes]);
  const { hps, hpsOverQ } = auxiliaryCounts(largest, candidates);
  const shared = createRlweContext(parameters, {
    ...options,
    auxiliaryPrimes: candidates.slice(0, Math.max(hps, hpsOverQ)),
  });
  return plainModuli.map((plainModulus) => {
    const scaled = createScaledMessages(shared.ring, plainModulus, dataPrimes);
    const maps = new Map<number, ProductMaps>();
    return {
      ...shared,
      id: `${shared.id}:bfv${plainModulus}`,
      parameters: { ...parameters, plainModulus },
      plainModulus,
      scaledMessage(level) {
        shared.dataBasis(level);
        return scaled[level]!;
      },
      productMaps(level) {
        let found = maps.get(level);
        if (!found) {
          found = createProductMaps(shared, plainModulus, level, productTerms);
          maps.set(level, found);
        }
        return found;
      },
    };
  });
}

function requirePlainModulus({ plainModulus, dataPrimes }: Pick<BfvParameters, "plainModulus" | "dataPrimes">): void {
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
