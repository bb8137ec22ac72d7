/** The evaluation keys made so far, each at the highest level that was asked for. */

import type { RandomSource } from "../math/index.ts";
import type { EvaluationKeys, KeySwitchingKey } from "../rlwe/index.ts";
import { generateGaloisKey, generateRelinearizationKey } from "./keygen.ts";
import type { SecretKey } from "./secret-key.ts";

/** Keys by what they do, each with the level up to which it must serve. */
export interface WantedKeys {
  /** -1 for none. */
  readonly relinearization: number;
  readonly elements: readonly { readonly element: number; readonly level: number }[];
}

export interface KeyStore {
  /** A live view: keys that are made later appear in it. */
  readonly keys: EvaluationKeys;
  /** The wanted keys that are missing, each as a function that makes it. */
  missing(wanted: WantedKeys): (() => void)[];
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
    missing(wanted) {
      const makers: (() => void)[] = [];
      if (wanted.relinearization > (relinearization?.level ?? -1)) {
        makers.push(() => {
          relinearization = generateRelinearizationKey(secret, wanted.relinearization, random);
        });
      }
      for (const { element, level } of wanted.elements) {
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
