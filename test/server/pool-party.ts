/** Pools of threads with an owner who has a slow and a quick plan, for the tests of one file. */

import { afterEach, expect } from "vitest";
import type { Compute, ComputeSession } from "../../dist/server/index.js";
import { deserializeCiphertexts } from "../../src/ckks/index.ts";
import type { CompiledPlan } from "../../src/server/index.ts";
import { echoPlan, type Party, partyOf, startPool, type TestPool } from "./pool.ts";
import { INPUT } from "./wire.ts";

export const NEVER: AbortSignal = new AbortController().signal;

export interface PoolParty {
  /** Takes some hundred milliseconds, and next to nothing; for both the same keys and messages do. */
  readonly slow: CompiledPlan;
  readonly quick: CompiledPlan;
  readonly party: Party;
  /** Closed after each test. */
  readonly running: { close(): Promise<void> }[];
  pool(options?: Parameters<typeof startPool>[0]): Promise<TestPool>;
  open(compute: Compute, plan?: CompiledPlan, from?: Party): Promise<ComputeSession>;
  evaluate(session: ComputeSession, signal?: AbortSignal): Promise<{ bytes: Uint8Array; milliseconds: number }>;
  expectEcho(bytes: Uint8Array): void;
}

export async function openPools(): Promise<PoolParty> {
  const slow = echoPlan(1200);
  const quick = echoPlan(2);
  const party = await partyOf(slow);
  const running: PoolParty["running"] = [];
  afterEach(async () => {
    await Promise.all(running.splice(0).map((each) => each.close()));
  });
  return {
    slow,
    quick,
    party,
    running,
    async pool(options = {}) {
      const started = await startPool(options);
      running.push(started);
      return started;
    },
    open: (compute, plan = slow, from = party) =>
      compute.openSession({ plan, keys: from.keys(), signal: NEVER, onLost: () => {} }),
    evaluate: (session, signal = NEVER) => session.evaluate(0, party.ciphertexts(), signal),
    expectEcho(bytes) {
      const segment = slow.network.manifest.segments[0]!;
      const { data } = party.owner.decryptOutput(segment, deserializeCiphertexts(party.owner.context, bytes, 1));
      for (const [i, value] of INPUT.entries()) expect(data[i]).toBeCloseTo(value, 1);
    },
  };
}
