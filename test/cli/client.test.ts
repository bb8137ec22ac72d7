import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SetReport } from "../../src/tester/index.ts";
import { affineNet } from "../helpers/affine-net.ts";
import { crcnn, fixture, npy, PROGRAM } from "./process.ts";

/** The client's example of PyCrCNN, to the letter. */
const EXAMPLE =
  '{ "address" : "http://127.0.0.1:5000/compute", "encryption_parameters" : [ { "m": 2048, "p": 13513511, "sec": 128, "base": 2 } ], "net" : "MNIST", "layers" : [0, 1, 2, 3] }';
const DIGIT = fixture("data/digit2-a.png");

let folder: string;
let child: ChildProcess;
let url: string;
const here = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "crcnn-client-"));
  writeFileSync(here("affine.pt"), affineNet());
  for (const name of ["linear", "lenet1-square"])
    copyFileSync(fixture(`models/${name}/${name}.pt`), here(`${name}.pt`));
  const args = ["serve", "--models", folder, "--port", "0", "--workers", "1", "--alias", "MNIST=affine"];
  child = spawn(process.execPath, [PROGRAM, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface(child.stdout!), "line")) as [string];
  url = line.split(" at ")[1] as string;
});
afterAll(() => {
  child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

function configuration(changes: object = {}): string {
  const file = here("client.json");
  const example = JSON.parse(EXAMPLE.replace("http://127.0.0.1:5000", url)) as object;
  writeFileSync(file, JSON.stringify({ ...example, ...changes }));
  return file;
}

interface Printed {
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly argmax: number;
  readonly rounds: number;
  readonly max_error?: number;
  readonly max_error_position?: readonly number[];
  readonly average_error?: number;
}

async function client(file: string, ...args: string[]): Promise<Printed> {
  const { code, stdout, stderr } = await crcnn(["client", file, "--json", ...args]);
  expect(code, stderr).toBe(0);
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  return JSON.parse(stdout) as Printed;
}

/** What the parameter tester says of the same layers, with the key's owner beside the evaluator. */
async function tester(model: string, layers: readonly number[], positions: readonly number[]): Promise<SetReport> {
  const set = { m: 2048, p: 13513511, sec: 128, base: 2, rencrypt_positions: positions };
  writeFileSync(here("tester.json"), JSON.stringify({ encryption_parameters: [set], layers }));
  const args = ["test-parameters", here("tester.json"), "--model", here(model), "--image", DIGIT];
  const { stdout, stderr } = await crcnn(args);
  const [report] = JSON.parse(stdout) as [SetReport];
  expect(report.error, stderr).toBeUndefined();
  return report;
}

describe("crcnn client, with the server in another process", () => {
  test("PyCrCNN's example as it stands, but for model, image and address", async () => {
    writeFileSync(here("client.json"), EXAMPLE.replace("http://127.0.0.1:5000", url));
    const { code, stdout, stderr } = await crcnn(["client", here("client.json"), "--image", DIGIT]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(
      /^shape 10, largest at \d\n {2}class .*\n {2}decrypted .*\n {2}one request, 14\.3 MB sent, 36\d kB/,
    );
    expect(stderr).toMatch(/Making keys/);
  });

  test.each<[string, string, number[], number[], number]>([
    ["MNIST", "affine.pt", [0, 1, 2, 3], [], 1],
    ["linear", "linear.pt", [0, 1], [], 1],
    ["lenet1-square", "lenet1-square.pt", [0, 1, 2, 3, 4, 5, 6, 7], [1, 4], 3],
  ])(
    "the same numbers as from the tester: %s",
    async (net, model, layers, positions, rounds) => {
      const set = {
        m: 2048,
        p: 13513511,
        sec: 128,
        base: 2,
        ...(positions.length > 0 ? { rencrypt_positions: positions } : {}),
      };
      const file = configuration({ net, layers, encryption_parameters: [set], image: DIGIT, debug: "y" });
      const printed = await client(file, "--model", here(model));
      const report = await tester(model, layers, positions);
      expect(printed.max_error).toBe(report.final_max_error);
      expect(printed.max_error_position).toEqual(report.final_max_error_position);
      expect(printed.average_error).toBe(report.average_error);
      expect(printed.max_error).toBeLessThan(1e-7);
      expect(printed.rounds).toBe(rounds);
    },
    180_000,
  );

  test("layers in the middle, on an array of numpy's; --debug in words", async () => {
    writeFileSync(
      here("features.npy"),
      npy(
        [1, 2, 6, 6],
        Array.from({ length: 72 }, (_, i) => (i % 7) / 7 - 0.5),
      ),
    );
    const file = configuration({ layers: [2, 3] });
    const args = ["client", file, "--image", here("features.npy"), "--debug", "--model", here("affine.pt")];
    const { code, stdout, stderr } = await crcnn(args);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/decrypted .*\n {2}plain .*\n {2}largest error \d\.\de-(8|9|1\d) at \[\d\], average /);
  });
});

describe("one line on what is wrong", () => {
  test.each<[string, object, string[], number, RegExp]>([
    ["no image", {}, [], 2, /image is in neither .* --image/],
    ["a model that is missing", {}, ["--image", DIGIT, "--debug"], 2, /--debug compares .* --model/],
    ["a misspelt field", { layer: [0] }, ["--image", DIGIT], 1, /client\.json: the field "layer" is unknown/],
    [
      "an unknown net",
      { net: "VGG" },
      ["--image", DIGIT],
      1,
      /net "VGG" is not served; there are: affine, MNIST, lenet/,
    ],
    [
      "a server that is not there",
      { address: "http://127.0.0.1:47113/compute" },
      ["--image", DIGIT],
      1,
      /47113.* refused/,
    ],
    ["a product", { net: "lenet1-square" }, ["--image", DIGIT], 1, /layer 1 \(Square\).* re-encryption positions/],
    [
      "a model of other layers",
      {},
      ["--image", DIGIT, "--debug", "--model", fixture("models/linear/linear.pt")],
      2,
      /linear\.pt: layers must be numbers from 0 to 1/,
    ],
  ])("%s", async (_, changes, args, expected, reason) => {
    const { code, stdout, stderr } = await crcnn(["client", configuration(changes), ...args]);
    expect(stdout).toBe("");
    const complaint = stderr.trimEnd().split("\n").at(-1)!;
    expect(complaint).toMatch(/^crcnn: [^\n]+$/);
    expect(complaint).toMatch(reason);
    expect(stderr).not.toMatch(/\n\s+at |Error:|should not have happened/);
    expect(code).toBe(expected);
  });

  test.each([
    ["MNIST", 2, /--alias takes NAME=MODEL.*"MNIST"/],
    ["A=linear,A=affine", 2, /each name once.*"A=affine"/],
    ["A=VGG", 1, /there is no model "VGG" here; there are: affine/],
  ])("of an alias: %s", async (alias, expected, reason) => {
    const { code, stderr } = await crcnn(["serve", "--models", folder, "--port", "0", "--alias", alias]);
    expect(stderr).toMatch(/^crcnn: [^\n]+\n$/);
    expect(stderr).toMatch(reason);
    expect(code).toBe(expected);
  });
});
