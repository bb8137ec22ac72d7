import fc from "fast-check";
import { findNttPrimes } from "../../src/math/index.ts";
import { createOwner, type KeyOwner } from "../../src/owner/index.ts";
import {
  type AffineMap,
  affineMap,
  demandKeys,
  type EncryptedProgram,
  emitPlan,
  flatLayout,
  type Plan,
  prepareProgram,
  runEncrypted,
  type ScalePolicy,
  type Schedule,
  schedulePlan,
  type Tensor,
} from "../../src/plan/index.ts";
import type { RlweParameters } from "../../src/rlwe/index.ts";
import { naiveAffine, naiveNetwork } from "./naive-lowering.ts";

export const SLOTS = 128;

/** A sequence of numbers in [-1, 1) from a seed. */
export function numbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
}

/** Bytes that are the same on every run: the same keys and ciphertexts wherever they are made. Not random at all. */
export function fixedRandom(): (bytes: Uint8Array) => void {
  let state = 1;
  return (bytes) => {
    for (let i = 0; i < bytes.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      bytes[i] = state >>> 24;
    }
  };
}

export const seeds: fc.Arbitrary<number> = fc.integer({ min: 1, max: 2 ** 30 });

/** A map with about a third of its entries. */
export function randomMap(inputs: number, outputs: number, next: () => number): AffineMap {
  return affineMap(
    [inputs],
    [outputs],
    (_, add) => {
      for (let column = 0; column < inputs; column++) if (next() > 0.3) add(column, next() / 2);
    },
    Array.from({ length: outputs }, next),
  );
}

/** Affine, square, affine on flat layouts, with giant steps; and the maps that it is made of. */
export function smallNetwork(
  seed: number,
  options: { rescaleLast?: boolean; foldsBeforeRescale?: boolean } = {},
): {
  plan: Plan;
  first: AffineMap;
  second: AffineMap;
  input: Tensor;
} {
  const next = numbers(seed);
  const first = randomMap(20, 12, next);
  const second = randomMap(12, 5, next);
  const network = naiveNetwork(SLOTS, [
    naiveAffine(first, SLOTS, 0, 8),
    { kind: "square", layers: [1, 1], sources: [1], layout: flatLayout([12], SLOTS) },
    naiveAffine(second, SLOTS, 2, 8),
  ]);
  const plan = emitPlan(network, { rescaleLast: false, foldsBeforeRescale: false, ...options });
  return { plan, first, second, input: { shape: [20], data: Float64Array.from({ length: 20 }, next) } };
}

/** Toy parameters with `alpha` special primes and four data primes. */
export function toyParameters(alpha: number, ringDegree = 1024): RlweParameters {
  const primes = findNttPrimes(ringDegree, [...new Array<number>(alpha).fill(30), 30, 30, 29, 27]);
  return { ringDegree, dataPrimes: primes.slice(alpha), specialPrimes: primes.slice(0, alpha), security: "insecure" };
}

export const POLICY: ScalePolicy = { messageScale: 2 ** 28, outputScale: 2 ** 50 };

/** An owner with the keys of a plan, its schedule from the top level, and a way to run it on an input. */
export async function encryptedRun(
  plan: Plan,
  parameters: RlweParameters,
): Promise<{ owner: KeyOwner; schedule: Schedule; program: EncryptedProgram; run: (input: Tensor) => Tensor }> {
  const input = { level: parameters.dataPrimes.length - 1, scale: POLICY.messageScale };
  const schedule = schedulePlan(plan, parameters, POLICY, input);
  const owner = await createOwner({ scheme: "ckks", parameters, policy: POLICY });
  owner.addKeys(demandKeys(plan, schedule));
  const program = prepareProgram(plan, schedule, owner.evaluator.encoder);
  return {
    owner,
    schedule,
    program,
    run(tensor) {
      const encrypted = owner.encryptTensor(tensor, flatLayout(tensor.shape, plan.slots));
      const ciphertexts = runEncrypted(program, owner.evaluator.operations, encrypted.ciphertexts);
      const { shape, position, factor } = plan.output;
      const layout = { ...flatLayout(shape, plan.slots), position };
      const output = owner.decryptTensor({ shape, layout, factor, ciphertexts });
      for (const { components } of [...ciphertexts, ...encrypted.ciphertexts]) {
        for (const { block } of components) block.free();
      }
      return output;
    },
  };
}
