/** A server without sockets, and a client's side of the protocol in small steps, so that each can be done wrongly. */

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { loadTorch, type SourceModel } from "../../src/builder/index.ts";
import { createOwner, type KeyOwner } from "../../src/owner/index.ts";
import { deserializeManifest, type PlanManifest } from "../../src/plan/index.ts";
import { type Failure, type PlanRequest, paths, planHash } from "../../src/protocol/index.ts";
import { serializeEvaluationKeys } from "../../src/rlwe/index.ts";
import { createApp, createInlineCompute, type ServerApp, type ServerLimits } from "../../src/server/index.ts";

const fixtures = new URL("../fixtures/", import.meta.url);

/** Small networks: one Linear layer; Linear, Square, Linear. Both take 12 values. */
export const MODELS = { linear: "variants/linear-plain.pt", square: "variants/shared-layer.pt" } as const;
export const INPUT_SHAPE: readonly number[] = [12];
export const INPUT: Float64Array = Float64Array.from({ length: 12 }, (_, i) => ((7 * i) % 12) / 12);

export function loadFixture(path: string): SourceModel {
  return loadTorch(readFileSync(new URL(path, fixtures)), path);
}

export function loadModels(): Map<string, SourceModel> {
  return new Map(Object.entries(MODELS).map(([name, path]) => [name, loadFixture(path)]));
}

export function testApp(limits: Partial<ServerLimits> = {}, models = loadModels()): ServerApp & { errors: unknown[] } {
  const errors: unknown[] = [];
  const compute = createInlineCompute({ models, limits });
  return { ...createApp({ compute, limits, onError: (error) => errors.push(error) }), errors };
}

export function send(
  app: ServerApp,
  method: string,
  path: string,
  body?: string | Uint8Array<ArrayBuffer>,
): Promise<Response> {
  return app.fetch(new Request(`http://server/${path}`, { method, ...(body === undefined ? {} : { body }) }));
}

export interface Planned {
  readonly model: string;
  readonly hash: string;
  readonly manifest: PlanManifest;
}

export async function requestPlan(
  app: ServerApp,
  model = "linear",
  request: Partial<PlanRequest> = {},
): Promise<Planned> {
  const response = await send(app, "POST", paths.plan(model), JSON.stringify({ inputShape: INPUT_SHAPE, ...request }));
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return { model, hash: planHash(text), manifest: deserializeManifest(text) };
}

export async function makeKeys({ manifest }: Planned): Promise<{ owner: KeyOwner; keys: Uint8Array<ArrayBuffer> }> {
  const owner = await createOwner(manifest);
  return { owner, keys: serializeEvaluationKeys(owner.context, owner.evaluationKeys) };
}

export function sendKeys(app: ServerApp, { model, hash }: Planned, keys: Uint8Array<ArrayBuffer>): Promise<Response> {
  return send(app, "POST", paths.sessions(model, hash), keys);
}

export async function openSession(app: ServerApp, planned: Planned, keys: Uint8Array<ArrayBuffer>): Promise<string> {
  const response = await sendKeys(app, planned, keys);
  expect(response.status).toBe(201);
  return ((await response.json()) as { session: string }).session;
}

/** Expects a failure: its status, its code, one line and nothing of the server's insides. */
export async function expectFailure(
  response: Response,
  status: number,
  code: Failure["code"],
  reason = /./,
): Promise<void> {
  const text = await response.text();
  expect(response.headers.get("content-type")).toContain("application/json");
  const failure = JSON.parse(text) as Failure;
  expect({ status: response.status, code: failure.code }, text).toEqual({ status, code });
  expect(Object.keys(failure).sort()).toEqual(["code", "message"]);
  expect(failure.message).toMatch(reason);
  expect(failure.message).not.toMatch(/\n|\bat .*\.[jt]s|file:/);
}
