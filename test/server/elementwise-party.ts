/** Owners who send layers' ciphertexts with their requests, as `POST /compute` takes them. */

import { afterAll, expect } from "vitest";
import { chooseSeedParameters, createFractionalEncoder, type FractionalEncoder } from "../../src/bfv/index.ts";
import type { SourceModel } from "../../src/builder/index.ts";
import { type BfvOwner, createOwner, type EncryptedBfvTensor } from "../../src/owner/index.ts";
import type { Tensor } from "../../src/plan/index.ts";
import {
  type ComputeAnswer,
  type ComputeRequest,
  decodeCiphertexts,
  encodeCiphertexts,
  flatten,
  type NestedStrings,
} from "../../src/protocol/index.ts";
import { INPUT, loadModels, send, testApp } from "./wire.ts";

export const SEED = { m: 2048, p: 13513511, sec: 128, base: 2 };
/** Has a special prime, so products are relinearized. */
export const LARGER = { m: 8192, p: 2 ** 30 - 2 ** 24 - 1, sec: 128, base: 2 };
export const input: Tensor = { shape: [12], data: INPUT };
export const models: Map<string, SourceModel> = loadModels();

export interface Party {
  readonly parameters: typeof SEED;
  readonly owner: BfvOwner;
  readonly encoder: FractionalEncoder;
}

export async function partyOf(parameters: typeof SEED): Promise<Party> {
  const owner = await createOwner({ scheme: "bfv", parameters: chooseSeedParameters(parameters).parameters });
  return { parameters, owner, encoder: createFractionalEncoder(owner.context, { base: parameters.base }) };
}

export function nested({ owner }: Party, tensor: EncryptedBfvTensor): NestedStrings {
  return encodeCiphertexts(owner.context, tensor);
}

export const encrypted = (party: Party, tensor = input): NestedStrings =>
  nested(party, party.owner.encryptTensor(party.encoder, tensor));

export function requestOf(
  party: Party,
  layers: readonly number[],
  changes: Partial<ComputeRequest> = {},
): ComputeRequest {
  return { encryption_parameters: party.parameters, net: "square", layers, data: encrypted(party), ...changes };
}

export function decrypted({ owner, encoder }: Party, { data }: ComputeAnswer): Tensor {
  const flat = flatten(data, "data", { axes: 4, elements: 100 });
  return owner.decryptTensor(encoder, decodeCiphertexts(owner.context, flat, "data", 9));
}

export function plain(layers: readonly number[], tensor = input, net = "square"): Tensor {
  return layers.reduce((values, layer) => models.get(net)!.layers[layer]!.layer.forward(values), tensor);
}

export function expectClose(found: Tensor, wanted: Tensor): void {
  expect(found.shape).toEqual(wanted.shape);
  for (const [i, value] of wanted.data.entries()) expect(Math.abs(found.data[i]! - value)).toBeLessThan(1e-7);
}

export async function answerOf(response: Response): Promise<ComputeAnswer> {
  const text = await response.text();
  expect(response.status, text.slice(0, 300)).toBe(200);
  return JSON.parse(text) as ComputeAnswer;
}

const changed = (data: NestedStrings, change: (text: string) => string): string[] =>
  (data as string[]).map((text, i) => (i === 3 ? change(text) : text));
export const cut = (data: NestedStrings): string[] => changed(data, (text) => text.slice(4));
export const spoilt = (data: NestedStrings): string[] => changed(data, (text) => `!${text.slice(1)}`);

export interface ComputeParties {
  readonly seed: Party;
  readonly larger: Party;
  readonly app: ReturnType<typeof testApp>;
  post(body: unknown, to?: ReturnType<typeof testApp>): Promise<Response>;
}

/** A server with two owners, for the tests of one file: nothing may have been reported as a fault of the server's by their end. */
export async function openParties(): Promise<ComputeParties> {
  const [seed, larger] = [await partyOf(SEED), await partyOf(LARGER)];
  const app = testApp();
  afterAll(async () => {
    expect(app.errors).toEqual([]);
    await app.close();
    seed.owner.destroy();
    larger.owner.destroy();
  });
  const post: ComputeParties["post"] = (body, to = app) =>
    send(to, "POST", "compute", typeof body === "string" ? body : JSON.stringify(body));
  return { seed, larger, app, post };
}
