import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Preflight } from "../../src/cli/plan-report.ts";
import { crcnn, fixture } from "./process.ts";

const LINEAR = fixture("models/linear/linear.pt");

test("plan --json: what a model takes, as one line of data", async () => {
  const { stdout, stderr, code } = await crcnn(["plan", LINEAR, "--json"]);
  expect(code, stderr).toBe(0);
  expect(stdout.trim().split("\n")).toHaveLength(1);
  const { fits, report } = JSON.parse(stdout) as Preflight;
  expect(fits).toBe(true);
  expect(report).toMatchObject({ objective: "latency", inputShape: [1, 28, 28], images: 1, fitsHeap: true });
  const { parameters, keys, ciphertexts, heap, precision, layers, seconds, rotations } = report!;
  expect(parameters.modulusBits).toBeLessThanOrEqual(parameters.maximumModulusBits);
  expect(layers.map(({ name, rotations: own }) => [name, own])).toEqual([["Flatten + Linear", rotations]]);
  expect(keys).toEqual({ count: rotations, bytes: expect.any(Number) });
  expect(heap.keys).toBeGreaterThan(keys.bytes);
  expect(ciphertexts.bytesUp).toBeGreaterThan(1000);
  expect(precision.bits).toBeGreaterThan(10);
  expect(seconds).toBeGreaterThan(0);
});

test("plan for people: a line for each figure, and the chain's use by layer", async () => {
  const { stdout, stderr, code } = await crcnn(["plan", fixture("models/mlp/mlp.pt"), "--refresh", "2"]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^input +1x28x28, for latency, 1 refresh\n/);
  expect(stdout).toMatch(/\nparameters +CKKS, N = \d+, .* log2\(QP\) = [\d.]+ of at most \d+ for 128-bit security/);
  for (const label of ["keys", "ciphertexts", "memory", "operations", "time", "precision"]) {
    expect(stdout).toMatch(new RegExp(`\n${label} +.*\\d`));
  }
  const rows = stdout.slice(stdout.indexOf("\nlayers")).trim().split("\n");
  expect(rows[1]).toMatch(/^0–1 +Flatten \+ Linear +■+[□·]* +\d+ +\d+ +[\d.]+ m?s +\d+ %$/);
  expect(rows[2]).toMatch(/^↻ 2 +Square +■+□?·* /);
  expect(rows[3]).toMatch(/^3 +Linear +■+/);
});

test("a model that does not fit ends with code 1, and with what would fit", async () => {
  const args = ["plan", fixture("variants/linear-plain.pt"), "--input-shape", "12", "--precision", "1e-12"];
  const { stdout, stderr, code } = await crcnn(args);
  expect(code, stderr).toBe(1);
  expect(stdout).toMatch(
    /^It does not fit: no parameters reach a precision of 1e-12 .*\nWhat would fit, each tried out:\n/,
  );
  const [, precision] = /\(--precision ([\d.e-]+)\)/.exec(stdout) ?? [];
  const again = await crcnn([...args.slice(0, -1), precision!, "--json"]);
  expect(again.code, again.stderr).toBe(0);
  const json = JSON.parse((await crcnn([...args, "--json"])).stdout) as Preflight & { fits: false };
  expect(json).toMatchObject({ fits: false, error: { code: "NO_PARAMETERS" } });
  expect(json.alternatives[0]!.change).toEqual({ precision: Number(precision) });
  expect(json.alternatives[0]!.report).toMatchObject({ inputShape: [12], fitsHeap: true });
});

test.each<[string, string[], number, RegExp]>([
  ["a precision above 1", ["--precision", "2"], 2, /precision must be a number between 0 and 1/],
  ["a precision that is none", ["--precision", "fine"], 2, /precision must be a number/],
  ["a shape that is none", ["--input-shape", "wide"], 2, /--input-shape takes sizes/],
  ["a shape that the model does not take", ["--input-shape", "1x3"], 1, /takes 784 features/],
  ["a refresh at no layer", ["--refresh", "9"], 2, /layer numbers from 0 to 1, got 9/],
  ["a refresh by name", ["--refresh", "last"], 2, /--refresh takes an integer/],
  ["another objective", ["--objective", "speed"], 2, /--objective takes latency or memory or throughput/],
  ["a fit of nothing", ["--fit", "sign"], 2, /--fit is for --activations polynomial/],
  ["a value for a switch", ["--no-cache=1"], 2, /there is no option --no-cache/],
  ["a switch that cannot be turned off", ["--no-json"], 2, /there is no option --no-json/],
])("refused in one line: %s", async (_, options, exitCode, message) => {
  const { stdout, stderr, code } = await crcnn(["plan", LINEAR, ...options]);
  expect({ code, stdout }).toEqual({ code: exitCode, stdout: "" });
  const lines = stderr.trim().split("\n");
  expect(lines.at(-1)).toMatch(message);
  expect(lines.filter((line) => line.startsWith("crcnn:"))).toHaveLength(1);
});

test("plans are kept for the next process, unless they are not wanted", async () => {
  const folder = mkdtempSync(join(tmpdir(), "crcnn-cli-cache-"));
  const env = { XDG_CACHE_HOME: folder, CRCNN_NO_CACHE: "" };
  const entries = (): string[] => readdirSync(join(folder, "crcnn"));
  const run = ["run", LINEAR, fixture("data/digit7-a.png"), "--json"];
  try {
    await crcnn([...run, "--no-cache"], env);
    await crcnn(run, { ...env, CRCNN_NO_CACHE: "1" });
    expect(readdirSync(folder)).toEqual([]);
    const first = await crcnn(run, env);
    expect(entries()).toHaveLength(1);
    const second = await crcnn(run, env);
    // Another command that compiles the same finds the same entry.
    expect((await crcnn(["plan", LINEAR], env)).code).toBe(0);
    expect(entries()).toHaveLength(1);
    const argmaxes = [first, second].map(({ stdout }) => JSON.parse(stdout).argmax);
    expect(argmaxes).toEqual([7, 7]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("by memory, and with activations at the client", async () => {
  const small = await crcnn(["plan", LINEAR, "--objective", "memory", "--no-cache"]);
  expect(small.stdout).toMatch(/^input +1x28x28, for memory\n/);
  const relu = await crcnn(["plan", fixture("variants/act-relu.pt"), "--input-shape", "12", "--activations", "client"]);
  expect(relu.code, relu.stderr).toBe(0);
  expect(relu.stdout).toMatch(/^input +12, for latency\n/);
});

test("polynomials of a lower degree are among what would fit", async () => {
  const vectors = fixture("variants/act-silu.input.npy");
  const model = ["plan", fixture("variants/act-silu.pt"), "--input-shape", "12", "--no-cache"];
  const fitted = [...model, "--activations", "polynomial", "--calibrate", vectors];
  const { code, stdout } = await crcnn([...fitted, "--degrees", "8", "--precision", "1e-6"]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/polynomials of degree 2, which keep 100\.0 % of the answers \(--degrees 2\)/);
  expect((await crcnn([...fitted, "--degrees", "2", "--precision", "1e-6"])).code).toBe(0);
  const unknown = await crcnn([...fitted, "--degrees", "5"]);
  expect([unknown.code, unknown.stderr]).toEqual([
    2,
    expect.stringMatching(/--degrees takes 2 or 3 or 4 or 8, got "5"/),
  ]);
});
