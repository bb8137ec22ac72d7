import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { fit, runModel } from "../../src/builder/index.ts";
import { loadFixture } from "../helpers/encrypted.ts";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { relativeError } from "../helpers/trained.ts";
import { crcnn, fixture, npy, PROGRAM } from "./process.ts";

const SILU = fixture("variants/act-silu.pt");
const VECTORS = fixture("variants/act-silu.input.npy");
const inputs = unbatch(readNpy("variants/act-silu.input.npy"));
const expected = unbatch(readNpy("variants/act-silu.output.npy"));

interface Line {
  readonly logits: number[];
  readonly plainLogits: number[];
  readonly exactLogits?: number[];
}

const linesOf = (stdout: string): Line[] =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

test("run --activations client: the exact model, with re-encryptions", async () => {
  const { stdout, stderr, code } = await crcnn(["run", SILU, VECTORS, "--activations", "client", "--json"]);
  expect(code, stderr).toBe(0);
  for (const [i, line] of linesOf(stdout).entries()) {
    expect(Object.keys(line)).not.toContain("exactLogits");
    expect(relativeError(Float64Array.from(line.plainLogits), expected[i]!.data)).toBeLessThan(1e-12);
    expect(relativeError(Float64Array.from(line.logits), expected[i]!.data)).toBeLessThan(1e-3);
  }
});

test("run --activations polynomial --calibrate: what was fitted, and the exact model beside it", async () => {
  const args = ["run", SILU, VECTORS, "--activations", "polynomial", "--calibrate", VECTORS];
  const { stdout, stderr, code } = await crcnn([...args, "--json"]);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(
    /^Fitting polynomials: layer 1 \(SiLU\) degree 2 on \[-\d\.\d, \d\.\d\] within 0\.0\d+; 100\.0 % of the answers kept$/m,
  );
  for (const [i, line] of linesOf(stdout).entries()) {
    expect(relativeError(Float64Array.from(line.exactLogits!), expected[i]!.data)).toBeLessThan(1e-12);
    expect(relativeError(Float64Array.from(line.logits), Float64Array.from(line.plainLogits))).toBeLessThan(1e-3);
    expect(line.plainLogits).not.toEqual(line.exactLogits);
  }
  const text = await crcnn([...args, "--first", "1"]);
  expect(text.stdout).toMatch(/\n {2}encrypted .*\n {2}plain .*\n {2}exact /);
});

test("run --activations client --objective throughput: every segment in turn", async () => {
  const args = ["run", SILU, VECTORS, "--activations", "client", "--objective", "throughput", "--json"];
  const { stdout, stderr, code } = await crcnn(args);
  expect(code, stderr).toBe(0);
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ images: 2, agreeing: 2 });
  expect(result.relativeError).toBeLessThan(1e-3);
});

/** Serves the model to one client with one vector. */
async function withServer(
  options: readonly string[],
  use: (classify: readonly string[], told: () => string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "crcnn-activations-"));
  copyFileSync(SILU, join(folder, "silu.pt"));
  // Without the model at hand, a file of two vectors would be taken for one image.
  const first = join(folder, "first.npy");
  writeFileSync(first, npy([12], [...inputs[0]!.data]));
  const server = spawn(process.execPath, [PROGRAM, "serve", "--models", folder, "--port", "0", ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let told = "";
  server.stderr.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  try {
    const [line] = (await once(createInterface(server.stdout), "line")) as [string];
    const url = /https?:\S+/.exec(line)![0];
    await use(["classify", first, "--server", url, "--model", "silu", "--json"], () => told);
  } finally {
    server.kill();
    await once(server, "exit");
    rmSync(folder, { recursive: true });
  }
}

test("serve and classify --activations client: served to those who offer it", () =>
  withServer([], async (args) => {
    const { stdout, stderr, code } = await crcnn([...args, "--activations", "client"]);
    expect(code, stderr).toBe(0);
    const [{ logits }] = linesOf(stdout) as [Line];
    expect(relativeError(Float64Array.from(logits), expected[0]!.data)).toBeLessThan(1e-3);
    const refused = await crcnn(args);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/layer 1 \(SiLU\) does not run encrypted by itself.*--activations client/);
    const wrong = await crcnn([...args, "--activations", "polynomial"]);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringMatching(/--activations takes client, got "polynomial"/),
    ]);
  }));

test("serve --activations polynomial: clients need not know", () =>
  withServer(["--activations", "polynomial", "--calibrate", VECTORS], async (args, told) => {
    expect(told()).toMatch(/^crcnn: silu\.pt: layer 1 \(SiLU\) degree 2 on .*; 100\.0 % of the answers kept\n$/);
    const { stdout, stderr, code } = await crcnn(args);
    expect(code, stderr).toBe(0);
    const [{ logits }] = linesOf(stdout) as [Line];
    const { model, fit: found } = fit(loadFixture("variants/act-silu.pt"), { calibration: inputs });
    expect(relativeError(Float64Array.from(logits), runModel(model, inputs[0]!).data)).toBeLessThan(1e-3);
    expect(found.activations.map(({ degree }) => degree)).toEqual([2]);
  }));

test.each([
  [["--activations", "square"], 2, /--activations takes client or polynomial, got "square"/],
  [["--activations", "polynomial"], 2, /--activations polynomial needs --calibrate FILE/],
  [["--activations", "client", "--calibrate", VECTORS], 2, /--calibrate is for --activations polynomial/],
  [["--activations", "polynomial", "--calibrate", "nowhere.npy"], 1, /nowhere\.npy: there is no such file/],
  [["--activations", "polynomial", "--calibrate", fixture("data/digit7-a.png")], 1, /1x28x28/],
])("run %j is refused in one line", async (options, expectedCode, reason) => {
  const { stdout, stderr, code } = await crcnn(["run", SILU, VECTORS, ...options]);
  expect([code, stdout]).toEqual([expectedCode, ""]);
  expect(stderr).toMatch(/^crcnn: [^\n]+\n$/);
  expect(stderr).toMatch(reason);
});
