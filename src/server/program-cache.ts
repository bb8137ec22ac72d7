/** Encoded plans within a bound of bytes: a plan's weights are encoded once, kept while there is room, and encoded again at need. */

import { createEncoder } from "../ckks/index.ts";
import type { Engine } from "../math/index.ts";
import { type EncryptedProgram, freeProgram, prepareProgram, programBytes } from "../plan/index.ts";
import { createRlweContext, type RlweContext, type RlweParameters } from "../rlwe/index.ts";
import type { SessionPlan } from "./compute.ts";

/** A plan that somebody wants to evaluate. */
export interface HeldPlan {
  readonly context: RlweContext;
  readonly network: SessionPlan["network"];
  /** One a segment. They are valid until the next call, which may make room for another plan's. */
  programs(): readonly EncryptedProgram[];
  /** To be called once. */
  release(): void;
}

export interface ProgramCache {
  hold(plan: SessionPlan): HeldPlan;
}

interface Entry extends SessionPlan {
  readonly context: RlweContext;
  readonly bytes: number;
  programs: readonly EncryptedProgram[] | undefined;
  holders: number;
}

/**
 * @param maximumBytes What all encoded plans together may take of the heap; a plan that is larger by itself is kept alone. When room is
 * needed those go first that nobody holds, and of these, as of the others, the one that was not used for longest.
 */
export function createProgramCache(engine: Engine, maximumBytes: number): ProgramCache {
  /** The heap keeps a context's tables for as long as it lives, so equal parameters share one. */
  const contexts = new Map<string, RlweContext>();
  /** In the order of last use: all that are held or encoded. */
  const entries = new Map<string, Entry>();
  let encodedBytes = 0;

  function contextOf(parameters: RlweParameters): RlweContext {
    const key = JSON.stringify(parameters);
    let context = contexts.get(key);
    if (!context) {
      context = createRlweContext(parameters, { engine });
      contexts.set(key, context);
    }
    return context;
  }

  function entryOf({ hash, network }: SessionPlan): Entry {
    const known = entries.get(hash);
    if (known) return known;
    const { manifest, plans, schedules } = network;
    const bytes = plans.reduce((sum, plan, i) => sum + programBytes(plan, schedules[i]!, manifest.parameters), 0);
    const entry = { hash, network, context: contextOf(manifest.parameters), bytes, programs: undefined, holders: 0 };
    entries.set(hash, entry);
    return entry;
  }

  function forgetUnused(entry: Entry): void {
    if (entry.holders === 0 && !entry.programs) entries.delete(entry.hash);
  }

  function makeRoom(bytes: number): void {
    const encoded = Array.from(entries.values()).filter(({ programs }) => programs);
    const held = encoded.filter(({ holders }) => holders > 0);
    for (const entry of [...encoded.filter(({ holders }) => holders === 0), ...held]) {
      if (encodedBytes + bytes <= maximumBytes) return;
      entry.programs?.forEach(freeProgram);
      entry.programs = undefined;
      encodedBytes -= entry.bytes;
      forgetUnused(entry);
    }
  }

  function programsOf(entry: Entry): readonly EncryptedProgram[] {
    entries.delete(entry.hash);
    entries.set(entry.hash, entry);
    if (!entry.programs) {
      makeRoom(entry.bytes);
      const encoder = createEncoder(entry.context);
      const { plans, schedules } = entry.network;
      entry.programs = plans.map((plan, i) => prepareProgram(plan, schedules[i]!, encoder));
      encodedBytes += entry.bytes;
    }
    return entry.programs;
  }

  return {
    hold(plan) {
      const entry = entryOf(plan);
      entry.holders++;
      return {
        context: entry.context,
        network: entry.network,
        programs: () => programsOf(entry),
        release() {
          entry.holders--;
          forgetUnused(entry);
        },
      };
    },
  };
}
