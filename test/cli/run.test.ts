import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { readNpy, unbatch } from "../helpers/npy.ts";
import { crcnn, fixture, PROGRAM } from "./process.ts";

interface Line {
  readonly image: string;
  readonly logits: number[];
  readonly plainLogits: number[];
  readonly argmax: number;
  readonly maxError: number;
  readonly relativeError: number;
  readonly milliseconds: Record<string, number>;
  readonly bytes: Bytes;
  readonly predicted: {
    readonly milliseconds: number;
    readonly relativeError: number;
    readonly bits: number;
    readonly bytes: Bytes;
  };
}

type Bytes = Readonly<Record<"keys" | "input" | "output" | "heap", number>>;

function parse(stdout: string): Line[] {
  expect(stdout.endsWith("\n")).toBe(true);
  return stdout
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

function expectClose(found: readonly number[], expected: ArrayLike<number>, relative: number): void {
  const values = Array.from(expected);
  const bound = relative * Math.max(...values.map(Math.abs));
  expect(found).toHaveLength(values.length);
  for (const [i, value] of values.entries()) expect(Math.abs(found[i]! - value)).toBeLessThanOrEqual(bound);
}

const LENET = fixture("models/lenet1-square/lenet1-square.pt");

test.each([
  ["weights with their architecture from a file", "pth", ["--architecture", fixture("architectures/linear.json")]],
  ["an ONNX model as its torch file does", "op9.onnx", []],
])("%s: it runs", async (_, form, options) => {
  const model = fixture(`old-torch/linear.torch1.13.1.${form}`);
  const digits = fixture("data/mnist16-images-idx3-ubyte.gz");
  const { stdout, stderr, code } = await crcnn(["run", model, digits, ...options, "--json", "--first", "1"]);
  expect(code, stderr).toBe(0);
  const [expected] = unbatch(readNpy("models/linear/linear.logits.npy"));
  const [{ logits, plainLogits }] = parse(stdout) as [Line];
  expectClose(plainLogits, expected!.data, 1e-6);
  expectClose(logits, expected!.data, 3e-4);
});

test("run --json on a gzipped IDX file: one line an image, the figures of PyTorch", async () => {
  const file = fixture("data/mnist16-images-idx3-ubyte.gz");
  const { stdout, stderr, code } = await crcnn(["run", LENET, file, "--json", "--first", "3"]);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/128-bit security/);
  const lines = parse(stdout);
  expect(lines.map(({ image }) => image)).toEqual([0, 1, 2].map((i) => `${file}[${i}]`));
  const expected = unbatch(readNpy("models/lenet1-square/lenet1-square.logits.npy"));
  for (const [i, line] of lines.entries()) {
    expect(Object.keys(line)).toEqual([
      "image",
      "logits",
      "plainLogits",
      "argmax",
      "maxError",
      "relativeError",
      "milliseconds",
      "bytes",
      "predicted",
    ]);
    expect(Object.keys(line.milliseconds)).toEqual(["keys", "encrypt", "evaluate", "decrypt"]);
    for (const part of Object.values(line.milliseconds)) expect(part).toBeGreaterThan(0);
    const { data } = expected[i]!;
    // Pixels are divided by 255 in doubles here, PyTorch had them rounded to float32.
    expectClose(line.plainLogits, data, 1e-6);
    expectClose(line.logits, data, 3e-4);
    expect(line.argmax).toBe(data.indexOf(Math.max(...data)));
    const errors = line.logits.map((value, k) => Math.abs(value - line.plainLogits[k]!));
    expect(line.maxError).toBe(Math.max(...errors));
    const { predicted, bytes } = line;
    expect(line.relativeError).toBeLessThan(predicted.relativeError);
    expect(predicted.bits).toBeCloseTo(-Math.log2(predicted.relativeError), 9);
    expect(predicted.milliseconds).toBeGreaterThan(0);
    for (const part of ["keys", "input", "output", "heap"] as const) {
      // Calibration leaves tables behind, and messages have frames.
      expect(bytes[part] / predicted.bytes[part], part).toBeGreaterThan(0.95);
      expect(bytes[part] / predicted.bytes[part], part).toBeLessThan(1.05);
    }
  }
  const worst = lines.map(({ maxError, plainLogits }) => maxError / Math.max(...plainLogits.map(Math.abs)));
  console.info(
    `run lenet1-square: error ${Math.max(...worst).toExponential(1)} of the largest logit, evaluations`,
    lines.map(({ milliseconds }) => Math.round(milliseconds.evaluate!)),
  );
});

test("a batch of vectors in .npy is as many inputs, with values as they are", async () => {
  const file = fixture("variants/linear-plain.input.npy");
  const { stdout, code } = await crcnn(["run", fixture("variants/linear-plain.pt"), file, "--json"]);
  expect(code).toBe(0);
  const lines = parse(stdout);
  expect(lines.map(({ image }) => image)).toEqual([`${file}[0]`, `${file}[1]`]);
  const expected = unbatch(readNpy("variants/linear-plain.output.npy"));
  for (const [i, { logits }] of lines.entries()) expectClose(logits, expected[i]!.data, 1e-3);
});

test("for people, a table with both rows of logits; --mean and --std are applied", async () => {
  const digit = fixture("data/digit3-a.png");
  const args = ["run", fixture("models/linear/linear.pt"), digit];
  const plain = await crcnn(args);
  expect(plain.code, plain.stderr).toBe(0);
  expect(plain.stdout).toMatch(
    new RegExp(`^${digit}: 3\n {2}class .*\n {2}encrypted .*\n {2}plain .*\n {2}largest error `),
  );
  const [scaled] = parse((await crcnn([...args, "--json", "--mean", "0.5", "--std=-0.5"])).stdout);
  const [twice] = parse((await crcnn([...args, "--json", "--std", "0.5"])).stdout);
  const [once_] = parse((await crcnn([...args, "--json"])).stdout);
  const bias = (i: number): number => 2 * once_!.plainLogits[i]! - twice!.plainLogits[i]!;
  // The network is affine, f(x) = W x + b: twice the pixels double W x.
  expectClose(
    twice!.logits,
    once_!.plainLogits.map((value, i) => 2 * value - bias(i)),
    1e-3,
  );
  expectClose(scaled!.logits, scaled!.plainLogits, 1e-3);
  expect(scaled!.plainLogits).not.toEqual(twice!.plainLogits);
});

test("a reader that stops reading is no error", async () => {
  const child = spawn(
    process.execPath,
    [PROGRAM, "run", fixture("variants/linear-plain.pt"), fixture("variants/linear-plain.input.npy"), "--json"],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  child.stdout.destroy();
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (data: string) => {
    stderr += data;
  });
  expect(await once(child, "close")).toEqual([0, null]);
  expect(stderr).not.toMatch(/EPIPE|Error/);
});

test("classify against a server, and the reasons of its refusals", async () => {
  const server = spawn(process.execPath, [PROGRAM, "serve", "--models", fixture("models/linear"), "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const [greeting] = (await once(createInterface(server.stdout), "line")) as [string];
    const url = greeting.split(" at ")[1] as string;
    const digit = fixture("data/digit0-a.png");
    const classify = ["classify", digit, "--server", url, "--model"];
    const { stdout, code, stderr } = await crcnn([...classify, "linear", "--json"]);
    expect(code, stderr).toBe(0);
    const [line] = parse(stdout);
    expect(line).toMatchObject({ image: digit, argmax: 0 });
    expect(Object.keys(line!.milliseconds)).toEqual(["keys", "encrypt", "transfer", "evaluate", "decrypt"]);
    const people = await crcnn([...classify, "linear"]);
    expect(people.stdout).toMatch(/^parameters .*128-bit security[\s\S]*digit0-a\.png: 0\n/);

    const unknown = await crcnn([...classify, "lenet"]);
    expect(unknown).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^crcnn: [^\n]*"lenet"[^\n]*linear\n$/),
    });
    const vectors = await crcnn([
      "classify",
      fixture("variants/linear-plain.input.npy"),
      "--server",
      url,
      "--model",
      "linear",
    ]);
    expect(vectors).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/^crcnn: [^\n]*784[^\n]*\n$/) });
  } finally {
    server.kill();
    await once(server, "exit");
  }
});

test("run computes the same with TypeScript kernels and with two threads", async () => {
  const image = fixture("data/digit7-a.png");
  const linear = fixture("models/linear/linear.pt");
  for (const options of [
    ["--backend", "ts"],
    ["--threads", "2"],
    ["--threads", "auto"],
  ]) {
    const { stdout, stderr, code } = await crcnn(["run", linear, image, "--json", ...options]);
    expect(code, stderr).toBe(0);
    const [line] = parse(stdout);
    expectClose(line!.logits, line!.plainLogits, 1e-3);
  }
  for (const options of [
    ["--backend", "gpu"],
    ["--threads", "0"],
    ["--threads", "many"],
  ]) {
    const { stderr, code } = await crcnn(["run", linear, image, ...options]);
    expect({ code, lines: stderr.trim().split("\n").length }).toEqual({ code: 2, lines: 1 });
    expect(stderr).toContain(`${options[0]} takes`);
  }
});

test("run --objective throughput: all images at once, one line of JSON, accuracy against labels", async () => {
  const model = fixture("models/linear/linear.pt");
  const images = fixture("data/mnist16-images-idx3-ubyte.gz");
  const labels = fixture("data/mnist16-labels-idx1-ubyte.gz");
  const args = ["run", model, images, "--objective", "throughput", "--labels", labels];
  const { stdout, stderr, code } = await crcnn([...args, "--json"]);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/128-bit security/);
  const result = JSON.parse(stdout);
  const recorded = unbatch(readNpy("models/linear/linear.logits.npy"));
  expect(result.argmax).toEqual(recorded.map(({ data }) => data.indexOf(Math.max(...data))));
  expect(result).toMatchObject({ images: 16, agreeing: 16, accuracy: result.plainAccuracy });
  expect(result.accuracy).toBeGreaterThan(0.5);
  expect(result.relativeError).toBeLessThan(1e-3);
  expect(result.capacity).toBeGreaterThanOrEqual(512);
  expect(result.imagesPerSecond).toBeGreaterThan(0);
  expect(result.predicted.imagesPerSecond).toBeGreaterThan(0);
  for (const part of ["keys", "input", "output", "heap"]) {
    // No key is needed for a network without a square: its message is a header.
    if (part === "keys") expect(result.predicted.bytes.keys).toBe(0);
    else expect(result.bytes[part] / result.predicted.bytes[part], part).toBeCloseTo(1, 1);
  }

  const text = await crcnn([...args, "--weight-bits", "8"]);
  expect(text.code, text.stderr).toBe(0);
  expect(text.stdout).toMatch(/^\d+ images a second in the evaluation of full batches of \d+\n16 of 16 images/);
  expect(text.stdout).toMatch(/accuracy [\d.]+ %, of the plain model [\d.]+ %/);
});

test("run --scheme bfv: a batch on integers, and what the scheme cannot do in one line", async () => {
  const model = fixture("models/linear/linear.pt");
  const images = fixture("data/mnist16-images-idx3-ubyte.gz");
  const { stdout, stderr, code } = await crcnn(["run", model, images, "--scheme", "bfv", "--json"]);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/BFV, N = \d+, \d plain mod.* of \d+ bits, .*128-bit security/);
  const result = JSON.parse(stdout);
  const recorded = unbatch(readNpy("models/linear/linear.logits.npy"));
  expect(result.argmax).toEqual(recorded.map(({ data }) => data.indexOf(Math.max(...data))));
  expect(result).toMatchObject({ scheme: "bfv", images: 16, agreeing: 16 });
  expect(result.capacity).toBeGreaterThanOrEqual(1024);
  expect(result.relativeError).toBeLessThan(2e-2);
  const text = await crcnn([
    "run",
    model,
    images,
    "--scheme",
    "bfv",
    "--objective",
    "throughput",
    "--weight-bits",
    "6",
  ]);
  expect(text.code, text.stderr).toBe(0);
  expect(text.stdout).toMatch(/^\d+ images a second in the evaluation of full batches of \d+/);

  for (const [args, message] of [
    [
      ["run", model, images, "--scheme", "bfv", "--objective", "latency"],
      /leave --objective out, or use --scheme ckks/,
    ],
    [["run", model, images, "--scheme", "bgv"], /--scheme takes ckks or bfv/],
    [
      ["classify", images, "--server", "http://127.0.0.1:9", "--model", "linear", "--scheme", "bfv"],
      /servers do not; use crcnn run --scheme bfv/,
    ],
  ] as const) {
    const refused = await crcnn(args);
    expect({ code: refused.code, lines: refused.stderr.trim().split("\n").length }).toEqual({ code: 2, lines: 1 });
    expect(refused.stderr).toMatch(message);
  }
});
