/**
 * `npm run bench:server`: memory of a server process that serves LeNet-1 to one session, and answers a second with one worker and with two.
 * Where other programs want the processors too, two workers get no more of them than one: processor time tells what they would do.
 *
 * The server is `crcnn serve` in a process of its own, on the loopback interface; memory is its resident set as the system tells it (ps). Each
 * client sends one encrypted image again and again, so that the client's own work is next to nothing; before anything is timed, what came
 * back is decrypted and compared with the plain model.
 */

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { loadTorch, runModel } from "crcnn/builder";
import { deserializeCiphertexts, serializeCiphertexts } from "crcnn/ckks";
import { createOwner } from "crcnn/owner";
import { deserializeManifest } from "crcnn/plan";
import { parseSessionCreated, parseTiming, paths, planHash } from "crcnn/protocol";
import { serializeEvaluationKeys } from "crcnn/rlwe";

const root = join(import.meta.dirname, "..", "..");
const MODEL = "lenet1-square";
const models = join(root, "assets", "models");
const INPUT = { shape: [1, 28, 28], data: Float64Array.from({ length: 784 }, (_, i) => (i % 17) / 17) };
const CLIENTS = 2;
const SECONDS = 2;
const ROUNDS = 5;

interface Server {
  readonly url: string;
  readonly megabytes: () => number;
  /** Seconds of processor time so far. */
  readonly processorSeconds: () => number;
  end(): Promise<void>;
}

async function start(workers: number): Promise<Server> {
  const program = join(root, "dist", "cli", "main.js");
  const args = [program, "serve", "--models", models, "--port", "0", "--workers", String(workers)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  const ask = (column: string): string => execFileSync("ps", ["-o", `${column}=`, "-p", String(child.pid)]).toString();
  return {
    url: line.split(" at ")[1] as string,
    megabytes: () => Number(ask("rss")) / 1024,
    // As hours:minutes:seconds: nothing here runs for days.
    processorSeconds: () =>
      ask("time")
        .split(":")
        .reduce((sum, part) => 60 * sum + Number(part), 0),
    async end() {
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

async function post(url: string, body: string | Uint8Array<ArrayBuffer>): Promise<Response> {
  const response = await fetch(url, { method: "POST", body });
  if (response.ok) return response;
  throw new Error(`${url}: ${response.status} ${await response.text()}`);
}

interface Client {
  /** One evaluation on the server, in milliseconds by its own clock. */
  ask(): Promise<number>;
}

async function openSession({ url }: Server): Promise<Client> {
  const text = await (await post(`${url}/${paths.plan(MODEL)}`, JSON.stringify({ inputShape: INPUT.shape }))).text();
  const manifest = deserializeManifest(text);
  const [segment] = manifest.segments;
  if (!segment) throw new Error("the plan has no segment");
  const owner = await createOwner(manifest);
  const keys = serializeEvaluationKeys(owner.context, owner.evaluationKeys);
  const created = await post(`${url}/${paths.sessions(MODEL, planHash(text))}`, keys);
  const { session } = parseSessionCreated(await created.text());
  const image = serializeCiphertexts(owner.context, owner.encryptInput(segment, INPUT));
  const evaluate = (): Promise<Response> => post(`${url}/${paths.segment(session, 0)}`, image);

  const bytes = new Uint8Array(await (await evaluate()).arrayBuffer());
  const { data } = owner.decryptOutput(
    segment,
    deserializeCiphertexts(owner.context, bytes, segment.outputCiphertexts),
  );
  const plain = runModel(loadTorch(readFileSync(join(models, `${MODEL}.pt`)), MODEL), INPUT).data;
  const largest = Math.max(...plain.map(Math.abs));
  if (plain.some((value, i) => Math.abs((data[i] ?? Number.NaN) - value) > 1e-3 * largest))
    throw new Error("a wrong answer");
  return {
    async ask() {
      const answer = await evaluate();
      await answer.arrayBuffer();
      return parseTiming(answer.headers.get("server-timing")) ?? Number.NaN;
    },
  };
}

async function measureMemory(): Promise<void> {
  const server = await start(1);
  const report = (when: string): void =>
    console.log(`  ${when.padEnd(24)}${server.megabytes().toFixed(0).padStart(6)} MB`);
  console.log(`memory of crcnn serve --workers 1 with ${MODEL}, resident set by ps`);
  report("started");
  const client = await openSession(server);
  report("one session, one image");
  for (let i = 0; i < 50; i++) await client.ask();
  report("fifty images later");
  await server.end();
}

interface Loaded {
  readonly workers: number;
  readonly server: Server;
  readonly clients: readonly Client[];
  readonly rates: number[];
  readonly evaluations: number[];
}

async function load(workers: number): Promise<Loaded> {
  const server = await start(workers);
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => openSession(server)));
  for (const client of clients) for (let i = 0; i < 5; i++) await client.ask();
  return { workers, server, clients, rates: [], evaluations: [] };
}

/** All clients ask as fast as they are answered. */
async function measureRate({ clients, rates, evaluations }: Loaded): Promise<void> {
  const from = performance.now();
  const before = evaluations.length;
  await Promise.all(
    clients.map(async ({ ask }) => {
      while (performance.now() < from + 1000 * SECONDS) evaluations.push(await ask());
    }),
  );
  rates.push((evaluations.length - before) / ((performance.now() - from) / 1000));
}

async function measureThroughput(): Promise<void> {
  console.log(
    `${CLIENTS} clients with a request each at a time, on ${availableParallelism()} processors; the best of ${ROUNDS} rounds of ` +
      `${SECONDS} seconds, in turns`,
  );
  const loads = [await load(1), await load(2)];
  const before = loads.map(({ server }) => server.processorSeconds());
  for (let round = 0; round < ROUNDS; round++) for (const each of loads) await measureRate(each);
  const best = loads.map(({ rates }) => Math.max(...rates));
  for (const [i, { workers, server, evaluations }] of loads.entries()) {
    const processor = (1000 * (server.processorSeconds() - (before[i] ?? Number.NaN))) / evaluations.length;
    console.log(
      `  workers ${workers}: ${best[i]?.toFixed(1)} answers a second, each ${processor.toFixed(0)} ms of processor time and ` +
        `${Math.min(...evaluations).toFixed(0)} ms of evaluation at least; ${server.megabytes().toFixed(0)} MB`,
    );
    await server.end();
  }
  console.log(`  ratio ${((best[1] ?? Number.NaN) / (best[0] ?? Number.NaN)).toFixed(2)}`);
}

await measureMemory();
await measureThroughput();
