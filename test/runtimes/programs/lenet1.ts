/** The program that every runtime runs: LeNet-1 on encrypted digits, with hashes of all that two runtimes might disagree about. */

import { compile, createOwner, load, type ModelSource, prepareProgram, readImages, runEncrypted } from "crcnn";
import { serializeCiphertexts } from "crcnn/ckks";
import { type Backend, expandSeed } from "crcnn/math";
import { hashPlan, serializeManifest } from "crcnn/plan";
import { serializeEvaluationKeys } from "crcnn/rlwe";

/** Files in base64. */
export interface Input {
  readonly model: string;
  /** An IDX file. */
  readonly images: string;
  /** How many of its images are classified. */
  readonly count: number;
}

export interface Options {
  readonly threads?: number;
  readonly backend?: Backend;
}

export interface Report {
  readonly backend: string;
  readonly threads: number;
  /** Tasks that other threads than the calling one have run. */
  readonly sharedTasks: number;
  /** SHA-256. */
  readonly hashes: { readonly manifest: string; readonly plan: string; readonly keys: string };
  readonly images: readonly { readonly input: string; readonly result: string; readonly logits: readonly number[] }[];
}

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Everything random comes from one fixed seed, so that ciphertexts can be compared.
 *
 * @param source where the model is, on a runtime that has files or addresses.
 */
export async function classify(
  { model, images, count }: Input,
  options: Options,
  source: ModelSource = bytesOf(model),
): Promise<Report> {
  const digits = readImages(bytesOf(images), "images").images.slice(0, count);
  const network = compile(await load(source), { inputShape: digits[0]!.shape });
  const { manifest } = network;
  const [plan, schedule, segment] = [network.plans[0]!, network.schedules[0]!, manifest.segments[0]!];
  const random = expandSeed(new Uint8Array(32).fill(7), new Uint8Array(12));
  const owner = await createOwner(manifest, { random, ...options });
  const { context, evaluator, evaluationKeys } = owner;
  const program = prepareProgram(plan, schedule, evaluator.encoder);
  const results = [];
  for (const digit of digits) {
    const encrypted = owner.encryptInput(segment, digit);
    const result = runEncrypted(program, evaluator.operations, encrypted);
    results.push({
      input: await sha256(serializeCiphertexts(context, encrypted)),
      result: await sha256(serializeCiphertexts(context, result)),
      logits: Array.from(owner.decryptOutput(segment, result).data),
    });
  }
  const { kernels, threads, sharedTasks } = context.engine;
  const report: Report = {
    backend: kernels.backend,
    threads,
    sharedTasks,
    hashes: {
      manifest: await sha256(new TextEncoder().encode(serializeManifest(manifest))),
      plan: hashPlan(plan),
      keys: await sha256(serializeEvaluationKeys(context, evaluationKeys)),
    },
    images: results,
  };
  owner.destroy();
  return report;
}
