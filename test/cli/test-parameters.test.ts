import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SetReport } from "../../src/tester/index.ts";
import { crcnn, fixture, type Outcome } from "./process.ts";

const LINEAR = fixture("models/linear/linear.pt");
const LENET = fixture("models/lenet1-square/lenet1-square.pt");
const DIGIT = fixture("data/digit2-a.png");
const SEED = { m: 2048, p: 13513511, sec: 128, base: 2 };
/** PyCrCNN's own example. */
const EXAMPLE =
  '{ "encryption_parameters" : [ { "m": 2048, "p": 13513511, "sec": 128, "base": 2, "rencrypt_positions": [ ] } ], "debug" : "y" }';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "crcnn-tester-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function configuration(content: object | string): string {
  const file = join(folder, "config.json");
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

function reportsOf({ stdout, stderr, code }: Outcome): SetReport[] {
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as SetReport[];
}

describe("crcnn test-parameters", () => {
  test("PyCrCNN's example, with model and image named beside it", async () => {
    const outcome = await crcnn(["test-parameters", configuration(EXAMPLE), "--model", LINEAR, "--image", DIGIT]);
    const [report, ...others] = reportsOf(outcome);
    expect(others).toEqual([]);
    expect(report!.set).toEqual({ ...SEED, rencrypt_positions: [] });
    expect(report!.final_max_error).toBeLessThan(1e-7);
    expect(report!.argmax_agrees).toBe(true);
    expect(report!.layers!.map(({ layer_name }) => layer_name)).toEqual(["start", "0 Flatten", "1 Linear"]);
    for (const { min_noise } of report!.layers!) expect(min_noise).toBeGreaterThan(10);
    expect(outcome.stderr).toMatch(/Trying 1 set: largest error/);
  });

  test("several sets at once, from the file's own fields; what fails does not stop the others", async () => {
    const out = join(folder, "out.json");
    const file = configuration({
      encryption_parameters: [{ ...SEED, rencrypt_positions: [1, 4] }, SEED, { scheme: "ckks" }],
      model_path: LENET,
      dataset: DIGIT,
      max_threads: 2,
    });
    const { code, stdout, stderr } = await crcnn(["test-parameters", file, "--out", out]);
    expect(code, stderr).toBe(0);
    expect(stdout).toBe("");
    const [squaresAtOwner, refused, ckks] = JSON.parse(readFileSync(out, "utf8")) as SetReport[];
    expect(squaresAtOwner!.final_max_error).toBeLessThan(1e-7);
    expect(refused!.error).toMatchObject({ code: "NO_PARAMETERS" });
    expect(refused!.error!.message).toMatch(/^layer 1 \(Square\)/);
    expect(ckks!.final_max_error).toBeLessThan(1e-2);
    expect(ckks!.argmax_agrees).toBe(true);
  });

  test("weights with their architecture, also on threads", async () => {
    const file = configuration({ encryption_parameters: [SEED, { scheme: "ckks" }], max_threads: 2 });
    const model = [fixture("old-torch/linear.torch1.13.1.pth"), "--architecture", fixture("architectures/linear.json")];
    const reports = reportsOf(await crcnn(["test-parameters", file, "--model", ...model, "--image", DIGIT]));
    expect(reports.map(({ argmax_agrees }) => argmax_agrees)).toEqual([true, true]);
  });

  test("a data set by its name, from the folder named; flags go before the file's fields", async () => {
    const raw = join(folder, "data", "MNIST", "raw");
    mkdirSync(raw, { recursive: true });
    copyFileSync(fixture("data/mnist16-images-idx3-ubyte.gz"), join(raw, "t10k-images-idx3-ubyte.gz"));
    const file = configuration({ encryption_parameters: [SEED], dataset: "MNIST", model_path: "none.pt", layers: [0] });
    const args = ["test-parameters", file, "--model", LINEAR, "--data", join(folder, "data"), "--index", "3"];
    const [report] = reportsOf(await crcnn([...args, "--layers", "0,1"]));
    expect(report!.final_max_error_position).toHaveLength(1);
    expect(report!.final_max_error).toBeLessThan(1e-7);
    const missing = await crcnn([...args.slice(0, -1), "16"]);
    expect(missing.stderr).toMatch(/--index: .* has 16 images, counted from 0, got 16/);
    const cifar = await crcnn([...args, "--image", "CIFAR10"]);
    expect(cifar.stderr).toMatch(/dataset: .* has no test_batch\.bin of CIFAR10; nothing is downloaded/);
  });

  test("an image of CIFAR-10", async () => {
    const batch = Buffer.alloc(2 * 3073, 100);
    batch[0] = 1;
    mkdirSync(join(folder, "cifar", "cifar-10-batches-bin"), { recursive: true });
    writeFileSync(join(folder, "cifar", "cifar-10-batches-bin", "test_batch.bin"), batch);
    const file = configuration({ encryption_parameters: [SEED], dataset: "CIFAR10", layers: [0] });
    const model = fixture("models/cifar-like/cifar-like.pt");
    const args = ["test-parameters", file, "--model", model, "--data", join(folder, "cifar"), "--index", "1"];
    const [report] = reportsOf(await crcnn(args));
    expect(report!.final_max_error).toBeLessThan(1e-7);
    expect(report!.final_max_error_position).toHaveLength(3);
  });

  test.each<[string, string[], object | string, RegExp]>([
    ["no model", ["--image", DIGIT], EXAMPLE, /model_path is in neither .* --model/],
    ["no image", ["--model", LINEAR], EXAMPLE, /dataset is in neither .* --image/],
    [
      "no such data set",
      ["--model", LINEAR, "--image", "SVHN"],
      EXAMPLE,
      /no file "SVHN"; .* MNIST, FashionMNIST, CIFAR10/,
    ],
    ["no folder", ["--model", LINEAR, "--image", "MNIST"], EXAMPLE, /looked for in a folder, which --data names/],
    ["no such model", ["--model", "none.pt", "--image", DIGIT], EXAMPLE, /none\.pt: there is no such file/],
    ["a layer too many", ["--model", LINEAR, "--image", DIGIT, "--layers", "0,1,2"], EXAMPLE, /numbers from 0 to 1/],
    ["no layers", ["--model", LINEAR, "--image", DIGIT, "--layers", "0-1"], EXAMPLE, /--layers takes layer numbers/],
    [
      "a gap",
      ["--model", LENET, "--image", DIGIT],
      { encryption_parameters: [SEED], layers: [0, 2] },
      /layers must go/,
    ],
    ["no JSON", ["--model", LINEAR, "--image", DIGIT], "{", /config\.json: it is not JSON/],
  ])("one line: %s", async (_, args, content, message) => {
    const { code, stdout, stderr } = await crcnn(["test-parameters", configuration(content), ...args]);
    expect(code).toBeGreaterThan(0);
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/should not have happened/);
  });
});
