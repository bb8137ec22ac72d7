/**
 * Servers whose work is done by a pool of threads, and a plan whose evaluation takes as long as a test wants. The pool is the built one: its
 * threads start from a file, which only the build makes. What it is given and gives is plain data, so the client's side may be from the sources.
 */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { createAdaptorServer } from "@hono/node-server";
import { type Compute, createApp, type ServerApp, type ServerLimits } from "../../dist/server/index.js";
import { createComputePool, loadModels, type ModelFile } from "../../dist/server/node/index.js";
import { compile } from "../../src/builder/index.ts";
import { serializeCiphertexts } from "../../src/ckks/index.ts";
import { createOwner, type KeyOwner } from "../../src/owner/index.ts";
import {
  demandKeys,
  hashPlan,
  type Plan,
  type PlanNode,
  type SegmentManifest,
  schedulePlan,
  serializeManifest,
} from "../../src/plan/index.ts";
import { planHash } from "../../src/protocol/index.ts";
import { serializeEvaluationKeys } from "../../src/rlwe/index.ts";
import type { CompiledPlan } from "../../src/server/index.ts";
import { INPUT, INPUT_SHAPE, loadFixture, MODELS } from "./wire.ts";

const fixtures = join(import.meta.dirname, "..", "fixtures");

/** The fixtures of `wire.ts` as files. */
export async function modelFiles(): Promise<ReadonlyMap<string, ModelFile>> {
  const folder = mkdtempSync(join(tmpdir(), "crcnn-pool-"));
  try {
    for (const [name, path] of Object.entries(MODELS)) copyFileSync(join(fixtures, path), join(folder, `${name}.pt`));
    return (await loadModels(folder)).models;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export interface TestPool extends Compute {
  /** All threads that were started, in order. */
  readonly threads: readonly Worker[];
  /** What the pool complained of. */
  readonly errors: readonly unknown[];
}

/**
 * A pool whose threads can be reached, as nothing but a debugger could otherwise.
 *
 * @param onMessage Hears what the threads are told, before memory that goes with it is gone.
 */
export async function startPool(
  options: { workers?: number; threads?: number; limits?: Partial<ServerLimits> } = {},
  onMessage: (message: unknown) => void = () => {},
): Promise<TestPool> {
  const threads: Worker[] = [];
  const errors: unknown[] = [];
  const models = await modelFiles();
  const pool = createComputePool({ workers: 1, ...options, models, onError: (error) => errors.push(error) });
  const onThread = (message: unknown): void => {
    const { worker } = message as { worker: Worker };
    threads.push(worker);
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (sent: unknown, transfer?: readonly Transferable[]) => {
      onMessage(sent);
      post(sent, transfer as never);
    };
  };
  subscribe("worker_threads", onThread);
  return {
    ...pool,
    threads,
    errors,
    async close() {
      unsubscribe("worker_threads", onThread);
      await pool.close();
    },
  };
}

export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

/** An app behind a socket. */
export async function listen(app: ServerApp): Promise<Listening> {
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      if ("closeAllConnections" in server) server.closeAllConnections();
      await app.close();
      await closed;
    },
  };
}

/** An app of the build whose only plan is this one, under every model's name. */
export function appWithPlan(pool: Compute, plan: CompiledPlan, limits: Partial<ServerLimits> = {}): ServerApp {
  return createApp({ compute: { ...pool, compile: async () => plan }, limits });
}

/**
 * A plan that turns its input by one slot and back, again and again: the output is the input. Sharing nothing, no rotation is saved.
 *
 * @param rotations Even; some thousand take a second.
 */
export function echoPlan(rotations: number): CompiledPlan {
  const { manifest } = compile(loadFixture(MODELS.linear), { inputShape: INPUT_SHAPE });
  const { parameters, policy } = manifest;
  const [{ slots, inputLevel }] = manifest.segments as [SegmentManifest];
  const turns = Array.from({ length: rotations }, (_, i): PlanNode => {
    return { op: "rotate", source: i, steps: i % 2 === 0 ? 1 : slots - 1 };
  });
  const elements = Int32Array.from(INPUT, (_, i) => i);
  const source = new Int32Array(slots).fill(-1);
  source.set(elements);
  const plan: Plan = {
    slots,
    input: { shape: INPUT_SHAPE, slots, ciphertexts: 1, source },
    nodes: [{ op: "input", index: 0 }, ...turns],
    layers: new Int32Array(rotations + 1),
    groups: [[0, 0] as const],
    outputs: [rotations],
    output: { shape: INPUT_SHAPE, position: elements, factor: 1 },
  };
  const schedule = schedulePlan(plan, parameters, policy, { level: inputLevel, scale: policy.messageScale });
  const network = {
    manifest: {
      ...manifest,
      keys: demandKeys(plan, schedule),
      segments: [
        {
          hash: hashPlan(plan),
          slots,
          input: plan.input,
          inputLevel,
          output: plan.output,
          outputCiphertexts: 1,
          outputLevel: inputLevel,
          outputScale: policy.messageScale,
          expectedError: 0.01,
        },
      ],
    },
    plans: [plan],
    schedules: [schedule],
    costs: [],
    predictedError: 0.01,
  };
  const text = serializeManifest(network.manifest);
  return { hash: planHash(text), text, network };
}

export interface Party {
  readonly owner: KeyOwner;
  /** A copy each time: what a pool is given it takes. */
  readonly keys: () => Uint8Array<ArrayBuffer>;
  readonly ciphertexts: () => Uint8Array<ArrayBuffer>;
}

/** A plan's client, with its messages. */
export async function partyOf({ network }: CompiledPlan): Promise<Party> {
  const owner = await createOwner(network.manifest);
  const keys = serializeEvaluationKeys(owner.context, owner.evaluationKeys);
  const [segment] = network.manifest.segments as [SegmentManifest];
  const inputs = owner.encryptInput(segment, { shape: INPUT_SHAPE, data: INPUT });
  const ciphertexts = serializeCiphertexts(owner.context, inputs);
  return { owner, keys: () => keys.slice(), ciphertexts: () => ciphertexts.slice() };
}
