/** The evaluation keys made so far, each at the highest level that was asked for. */

import type { RandomSource } from "../math/index.ts";
import { elementsOf, type KeyDemand } from "../plan/index.ts";
import type { EvaluationKeys, KeySwitchingKey } from "../rlwe/index.ts";
import { generateGaloisKey, generateRelinearizationKey } from "./keygen.ts";
import type { SecretKey } from "./secret-key.ts";

export interface KeyStore {
  /** A live view: keys that are made later appear in it. */
  readonly keys: EvaluationKeys;
  /** The keys of a demand that are missing, each as a function that makes it. */
  missing(demand: KeyDemand): (() => void)[];
  /** Forgets all keys. */
  clear(): void;
}

export function createKeyStore(secret: SecretKey, random: RandomSource): KeyStore {
  const galois = new Map<number, KeySwitchingKey>();
  let relinearization: KeySwitchingKey | undefined;
  return {
    keys: {
      get relinearization() {
        return relinearization;
      },
      galois,
    },
    missing(demand) {
      const makers: (() => void)[] = [];
      if (demand.relinearization > (relinearization?.level ?? -1)) {
        makers.push(() => {
          relinearization = generateRelinearizationKey(secret, demand.relinearization, random);
        });
      }
      for (const { element, level } of elementsOf(secret.context.ring.degree, demand)) {
        if (level > (galois.get(element)?.level ?? -1)) {
          makers.push(() => void galois.set(element, generateGaloisKey(secret, element, level, random)));
        }
      }
      return makers;
    },
    clear() {
      galois.clear();
      relinearization = undefined;
    },
  };
}
