/** What every owner has, whatever the scheme: an engine, a secret key, and the keys that are made from it. */

import { createEngine, createThreadedEngine, type Engine, type RandomSource, systemRandom } from "../math/index.ts";
import {
  type ContextOptions,
  type EvaluationKeys,
  freeEvaluationKeys,
  type PublicKey,
  type RlweContext,
} from "../rlwe/index.ts";
import { createKeyStore, type KeyStore } from "./key-store.ts";
import { generatePublicKey } from "./keygen.ts";
import { createSecretKey, type SecretKey } from "./secret-key.ts";

export interface OwnerOptions extends Omit<ContextOptions, "auxiliaryPrimes" | "label"> {
  /** Threads that compute, the calling one included; 1 by default. Not used where an engine is given, or a backend forced. */
  readonly threads?: number | "auto" | undefined;
  /** The operating system's generator by default. */
  readonly random?: RandomSource | undefined;
  /** Called after each evaluation key of the manifest. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Keyring<C extends RlweContext> {
  readonly context: C;
  readonly secret: SecretKey<C>;
  readonly random: RandomSource;
  readonly store: KeyStore;
  readonly evaluationKeys: EvaluationKeys;
  /** Made when first asked for. */
  publicKey(): PublicKey;
  /** Overwrites the secret key, frees all keys, and stops the engine, unless it was given: it may have other users. */
  destroy(): void;
}

/** Draws a secret key. @param createContext Makes the scheme's context on an engine. */
export async function createKeyring<C extends RlweContext>(
  createContext: (options: ContextOptions) => C,
  options: OwnerOptions,
): Promise<Keyring<C>> {
  const { random = systemRandom } = options;
  const engine = await engineFor(options);
  const release = (): void => {
    if (!options.engine) void engine.close();
  };
  let context: C;
  try {
    context = createContext({ engine });
  } catch (error) {
    release();
    throw error;
  }
  const secret = createSecretKey(context, random);
  const store = createKeyStore(secret, random);
  let publicKey: PublicKey | undefined;
  return {
    context,
    secret,
    random,
    store,
    evaluationKeys: store.keys,
    publicKey() {
      publicKey ??= generatePublicKey(secret, random);
      return publicKey;
    },
    destroy() {
      secret.destroy();
      freeEvaluationKeys(store.keys);
      store.clear();
      release();
    },
  };
}

async function engineFor({ engine, backend, threads, ...sizes }: OwnerOptions): Promise<Engine> {
  if (engine) return engine;
  return backend === undefined && threads !== undefined
    ? createThreadedEngine({ threads, ...sizes })
    : createEngine({ backend, ...sizes });
}
