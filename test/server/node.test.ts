import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serve } from "../../dist/server/node/index.js";
import { type CompiledNetwork, readPlan, runModel, savePlan } from "../../src/builder/index.ts";
import { createClient } from "../../src/client/index.ts";
import { paths } from "../../src/protocol/index.ts";
import { INPUT, INPUT_SHAPE, loadModels, MODELS } from "./wire.ts";

const program = join(import.meta.dirname, "..", "..", "dist", "cli", "main.js");
const fixtures = join(import.meta.dirname, "..", "fixtures");
let models: string;
let child: ChildProcess;
let url: string;
let complaint = "";

/** A real server: the built program in a process of its own. */
beforeAll(async () => {
  models = mkdtempSync(join(tmpdir(), "crcnn-models-"));
  for (const [name, path] of Object.entries(MODELS)) copyFileSync(join(fixtures, path), join(models, `${name}.pt`));
  writeFileSync(join(models, "broken.pt"), "this is no model");
  writeFileSync(join(models, "notes.txt"), "not looked at");
  mkdirSync(join(models, "folder.pt"));
  child = spawn(process.execPath, [program, "serve", "--models", models, "--port", "0", "--workers", "1"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stderr!.on("data", (data) => {
    complaint += data;
  });
  const [line] = (await once(createInterface(child.stdout!), "line")) as [string];
  expect(line).toMatch(/^crcnn: serving linear, square at http:\/\/127\.0\.0\.1:\d+$/);
  url = line.split(" at ")[1] as string;
});
afterAll(() => {
  child.kill("SIGKILL");
  rmSync(models, { recursive: true });
});

test("a client in another process gets its logits, and the files that are no models were named", async () => {
  const client = createClient({ server: url });
  expect((await client.models()).map(({ name }) => name)).toEqual(["linear", "square"]);
  const session = await client.open("square", { inputShape: INPUT_SHAPE, rencryptPositions: [2] });
  const { logits, milliseconds } = await session.classify({ shape: INPUT_SHAPE, data: INPUT });
  const expected = runModel(loadModels().get("square")!, { shape: INPUT_SHAPE, data: INPUT }).data;
  for (const [i, value] of expected.entries()) expect(logits.data[i]).toBeCloseTo(value, 3);
  expect(milliseconds.evaluate).toBeGreaterThan(0);
  await session.close();
  expect(complaint).toMatch(/^crcnn: broken\.pt: [^\n]*text file[^\n]*\ncrcnn: folder\.pt: it cannot be read[^\n]*\n$/);
});

test("while a model is compiled, the server answers", async () => {
  const body = JSON.stringify({ inputShape: INPUT_SHAPE, precision: 1e-4 });
  const start = performance.now();
  let took: number | undefined;
  const compiled = fetch(`${url}/${paths.plan("square")}`, { method: "POST", body }).then((response) => {
    took = performance.now() - start;
    expect(response.status).toBe(200);
  });
  const waits: number[] = [];
  while (took === undefined) {
    const asked = performance.now();
    expect(await (await fetch(`${url}/health`)).text()).toBe("ok");
    waits.push(performance.now() - asked);
    await pause(20);
  }
  await compiled;
  expect(waits.length).toBeGreaterThan(5);
  expect(Math.max(...waits)).toBeLessThan(took / 3);
});

test("over a socket, too, a body that is too large is refused by its declared length", async () => {
  const response = await fetch(`${url}/${paths.plan("linear")}`, { method: "POST", body: new Uint8Array(200_000) });
  expect(response.status).toBe(413);
  expect(((await response.json()) as { code: string }).code).toBe("LIMIT_EXCEEDED");
});

test("a port that is taken is the system's error, a folder without models one of its own", async () => {
  const port = Number(new URL(url).port);
  await expect(serve({ models, port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  await expect(serve({ models: fixtures, port: 0 })).rejects.toMatchObject({ code: "INVALID_FILE" });
});

test("a server in this process closes when asked, and leaves no signal handler behind", async () => {
  const before = process.listenerCount("SIGTERM");
  const server = await serve({ models, port: 0 });
  expect(await (await fetch(`${server.url}/health`)).text()).toBe("ok");
  expect(process.listenerCount("SIGTERM")).toBe(before + 1);
  await server.close();
  await server.closed;
  expect(process.listenerCount("SIGTERM")).toBe(before);
  await expect(fetch(`${server.url}/health`)).rejects.toThrow();
});

test("a server finds the plans that another one has compiled", async () => {
  const directory = mkdtempSync(join(tmpdir(), "crcnn-server-plans-"));
  const planTexts: string[] = [];
  try {
    for (let start = 0; start < 2; start++) {
      const server = await serve({ models, port: 0, workers: 1, planCache: { directory, version: "1" } });
      const body = JSON.stringify({ inputShape: INPUT_SHAPE });
      const response = await fetch(`${server.url}/${paths.plan("linear")}`, { method: "POST", body });
      planTexts.push(await response.text());
      expect(readdirSync(directory)).toHaveLength(1);
      await server.close();
      // What the next one sends is this entry, or compiled anew.
      const [entry] = readdirSync(directory).map((name) => join(directory, name));
      const bytes = readFileSync(entry!);
      const network = readPlan(bytes.subarray(32)) as CompiledNetwork;
      const segments = network.manifest.segments.map((segment) => ({ ...segment, expectedError: 0.125 }));
      const marked = savePlan({ ...network, manifest: { ...network.manifest, segments } });
      writeFileSync(entry!, Buffer.concat([bytes.subarray(0, 32), marked]));
    }
    expect(planTexts[0]).not.toContain('"expectedError":0.125');
    expect(planTexts[1]).toContain('"expectedError":0.125');
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a client that does not finish its message does not keep the server from closing", async () => {
  const server = await serve({ models, port: 0 });
  const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => {});
  socket.write("POST /models/linear/plan HTTP/1.1\r\nHost: server\r\nContent-Length: 100\r\n\r\n{");
  // Answered when the server has seen the other message begin.
  await fetch(`${server.url}/health`);
  const gone = once(socket, "close");
  await server.close();
  await gone;
});

test("a server that computes closes in time, and what was computed ends", async () => {
  const server = await serve({
    models: join(import.meta.dirname, "..", "..", "assets", "models"),
    port: 0,
    workers: 1,
  });
  // Takes much longer than a server gives it.
  const body = JSON.stringify({ inputShape: [1, 28, 28], precision: 1e-5 });
  const lost = expect(
    fetch(`${server.url}/${paths.plan("lenet1-square")}`, { method: "POST", body }),
  ).rejects.toThrow();
  await pause(100);
  const start = performance.now();
  await server.close();
  await lost;
  expect(performance.now() - start).toBeLessThan(4000);
});

test("told to end by SIGTERM, the process ends by itself and well", async () => {
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});
