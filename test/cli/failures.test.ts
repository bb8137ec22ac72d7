import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { crcnn, fixture, npy } from "./process.ts";

const LENET = fixture("models/lenet1-square/lenet1-square.pt");
const LINEAR = fixture("variants/linear-plain.pt");
const WEIGHTS = fixture("old-torch/linear.torch1.13.1.pth");
const VECTORS = fixture("variants/linear-plain.input.npy");
const DIGIT = fixture("data/digit7-a.png");
const NOWHERE = "http://127.0.0.1:47114";

let folder: string;
const here = (name: string): string => join(folder, name);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "crcnn-cli-"));
  writeFileSync(here("note.txt"), "dear network,\nwhat is this?\n");
  writeFileSync(here("empty.pt"), "");
  writeFileSync(here("note.pt"), "no model");
  writeFileSync(here("square.json"), '[{ "kind": "square" }]');
  writeFileSync(
    here("flatten.json"),
    '[{ "kind": "Flatten", "startDim": "1" }, { "kind": "Linear", "inFeatures": 784, "outFeatures": 10 }]',
  );
  writeFileSync(here("nan.npy"), npy([12], [...new Array(11).fill(0), Number.NaN]));
  writeFileSync(here("square.npy"), npy([32, 32], new Array(1024).fill(0.5)));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** One line on standard error, nothing on standard output, the exit code, no stack and no code's own names. */
async function expectFailure(args: readonly string[], code: 1 | 2, ...reasons: RegExp[]): Promise<void> {
  const outcome = await crcnn(args);
  expect(outcome.stdout).toBe("");
  expect(outcome.stderr).toMatch(/^crcnn: [^\n]+\n$/);
  for (const reason of reasons) expect(outcome.stderr).toMatch(reason);
  expect(outcome.stderr).not.toMatch(/\s+at |\.js:|\.ts:|Error:|this should not have happened/);
  if (code === 2) expect(outcome.stderr).toMatch(/\(see: crcnn[ a-z]* --help\)/);
  expect(outcome.code).toBe(code);
}

describe("crcnn run says in one line what is wrong and what would be right", () => {
  test.concurrent.each<[string, () => string[], RegExp[]]>([
    [
      "a model with ReLU",
      () => [fixture("variants/act-relu.pt"), VECTORS],
      [/layer 1 \(ReLU\)/, /--activations polynomial --calibrate FILE/, /--activations client/],
    ],
    ["an empty file", () => [here("empty.pt"), DIGIT], [/empty\.pt/]],
    ["a text file as the model", () => [here("note.pt"), DIGIT], [/text file/, /torch\.save/]],
    ["an image as the model", () => [DIGIT, DIGIT], [/digit7-a\.png/, /torch\.save/]],
    [
      "weights without layers",
      () => [WEIGHTS, DIGIT],
      [/linear[^:]*\.pth: it holds a state_dict/, /--architecture FILE\.json/],
    ],
    [
      "weights of another network",
      () => [WEIGHTS, DIGIT, "--architecture", fixture("architectures/tenseal-net.json")],
      [/\.pth: its state_dict has no entry "0\.weight", which architecture\[0\] \(Conv2d\) needs/],
    ],
    [
      "an architecture that is none",
      () => [WEIGHTS, DIGIT, "--architecture", here("square.json")],
      [/square\.json: architecture\[0\]\.kind must be one of/],
    ],
    [
      "an architecture with a bad option",
      () => [WEIGHTS, DIGIT, "--architecture", here("flatten.json")],
      [/\.pth: architecture\[0\]\.startDim must be an integer/],
    ],
    [
      "a missing architecture",
      () => [WEIGHTS, DIGIT, "--architecture", here("no.json")],
      [/no\.json: there is no such file/],
    ],
    ["a pickle that would run code", () => [fixture("evil/pickle/os-system.pt"), DIGIT], [/os\.system/, /not run/]],
    ["a missing model", () => [here("missing.pt"), DIGIT], [/missing\.pt: there is no such file/]],
    ["a folder as the model", () => [folder, DIGIT], [/it is a folder/]],
    ["an image of the wrong size", () => [LENET, here("square.npy")], [/32x32/, /1x28x28/]],
    ["an image for a network of vectors", () => [LINEAR, DIGIT], [/1x28x28/, /12/]],
    ["vectors for a network of images", () => [LENET, VECTORS], [/2x12/, /1x28x28/]],
    ["a text file as the image", () => [LENET, here("note.txt")], [/note\.txt/, /text file/, /numpy\.save/]],
    ["an image without a name", () => [LENET, ""], [/^crcnn: "": there is no such file/]],
    ["a missing image", () => [LENET, here("missing.png")], [/missing\.png: there is no such file/]],
    ["labels as images", () => [LENET, fixture("data/mnist16-labels-idx1-ubyte.gz")], [/labels/, /images/]],
    ["values that are no numbers", () => [LINEAR, here("nan.npy")], [/nan\.npy: value 11 is NaN/]],
  ])("%s", async (_, args, reasons) => {
    await expectFailure(["run", ...args()], 1, ...reasons);
  });
});

describe("wrong usage has exit code 2 and points to the help", () => {
  test.concurrent.each<[string, () => string[], RegExp]>([
    ["no command", () => [], /demo, plan, run, serve, classify, client/],
    ["an unknown command", () => ["train"], /"train"/],
    ["an object's own names", () => ["constructor"], /"constructor"/],
    ["an option before the command", () => ["--json", "run"], /"--json"/],
    ["no model", () => ["run"], /MODEL is missing/],
    ["no image", () => ["run", LENET], /IMAGE is missing/],
    ["an unknown option", () => ["run", LENET, DIGIT, "--fast"], /no option --fast/],
    ["an unknown short option", () => ["run", LENET, DIGIT, "-x"], /no option -x/],
    ["a negated option", () => ["run", LENET, DIGIT, "--no-json"], /--no-json/],
    ["a value that is missing", () => ["run", LENET, DIGIT, "--first"], /--first needs a value/],
    ["an option for a value", () => ["run", LENET, DIGIT, "--first", "--json"], /--first needs a value/],
    ["a value too many", () => ["run", LENET, DIGIT, "--json=yes"], /--json takes no value/],
    ["no image asked for", () => ["run", LENET, DIGIT, "--first", "0"], /from 1 on, got "0"/],
    ["a fraction of images", () => ["run", LENET, DIGIT, "--first", "1.5"], /got "1\.5"/],
    ["a mean that is no number", () => ["run", LENET, DIGIT, "--mean", "grey"], /--mean takes .* got "grey"/],
    ["means for other channels", () => ["run", LENET, DIGIT, "--mean", "0.5,0.5"], /one number a channel/],
    [
      "an unknown objective",
      () => ["run", LENET, DIGIT, "--objective", "speed"],
      /takes latency or memory or throughput, got "speed"/,
    ],
    ["labels for latency", () => ["run", LENET, DIGIT, "--labels", DIGIT], /--labels are for --objective throughput/],
    [
      "too many bits for weights",
      () => ["run", LENET, DIGIT, "--objective", "throughput", "--weight-bits", "17"],
      /from 4 to 16, got "17"/,
    ],
    ["a deviation of zero", () => ["run", LENET, DIGIT, "--std", "0"], /must not be 0/],
    ["no folder of models", () => ["serve"], /--models is missing/],
    ["a port that is none", () => ["serve", "--models", folder, "--port", "65536"], /0 to 65535/],
    ["an argument too many", () => ["demo", "now"], /"now"/],
    ["workers that are none", () => ["serve", "--models", folder, "--workers", "0"], /--workers takes .*1 to 64/],
    ["threads that are none", () => ["serve", "--models", folder, "--threads", "many"], /--threads takes .*"many"/],
    ["no server", () => ["classify", DIGIT, "--model", "m"], /--server is missing/],
    ["no model's name", () => ["classify", DIGIT, "--server", NOWHERE], /--model is missing/],
    ["an address with a password", () => ["classify", DIGIT, "--server", "http://me:pw@h", "--model", "m"], /without/],
    ["an address that is none", () => ["classify", DIGIT, "--server", "localhost:80", "--model", "m"], /http:\/\/127/],
  ])("%s", async (_, args, reason) => {
    await expectFailure(args(), 2, reason);
  });
});

test("serve and classify fail in one line, too", async () => {
  await expectFailure(["serve", "--models", here("missing")], 1, /missing: there is no such file or folder/);
  await expectFailure(["serve", "--models", here("note.txt")], 1, /it is not a folder/);
  await expectFailure(["serve", "--models", folder], 1, /no model that can be served: empty\.pt/);
  const classify = ["classify", DIGIT, "--server", NOWHERE, "--model", "m"];
  // A step that did not come to its end leaves nothing on the screen.
  await expectFailure(classify, 1, /no answer came from http:\/\/127\.0\.0\.1:47114 \(the connection was refused\)/);
});

test("a host that does not exist is named", async () => {
  const serve = ["serve", "--models", fixture("models/linear"), "--port", "0", "--host", "no such host"];
  await expectFailure(serve, 1, /no such host: (there is no such host|its name could not be looked up)/);
});

// Linux has both files; elsewhere there is nothing of the kind to try.
describe.runIf(process.platform === "linux")("devices", () => {
  test("a file without an end is read up to the limit", async () => {
    await expectFailure(["run", LENET, "/dev/zero"], 1, /\/dev\/zero: it has more than the 268435456 bytes/);
    await expectFailure(["run", "/dev/zero", DIGIT], 1, /\/dev\/zero: it has more than the 268435456 bytes/);
  });

  test("an output without space is one line", async () => {
    const full = openSync("/dev/full", "w");
    try {
      const outcome = await crcnn(["--help"], {}, full);
      expect(outcome).toEqual({ code: 1, stdout: "", stderr: "crcnn: ENOSPC: no space is left for the output\n" });
    } finally {
      closeSync(full);
    }
  });
});

test("where an error happened is told on request alone", async () => {
  const { stderr, code } = await crcnn(["run", here("missing.pt"), DIGIT], { CRCNN_DEBUG: "1" });
  expect(stderr).toMatch(/^crcnn: [^\n]+\n[\s\S]*ENOENT/);
  expect(code).toBe(1);
});

test("help and version go to standard output, uncoloured where nobody looks", async () => {
  for (const args of [
    ["--help"],
    ["-h"],
    ["run", "--help"],
    ["run", "x", "-h"],
    ["serve", "--help"],
    ["demo", "--help"],
    ["classify", "--help"],
  ]) {
    const { stdout, stderr, code } = await crcnn(args);
    expect({ stderr, code }, args.join(" ")).toEqual({ stderr: "", code: 0 });
    expect(stdout).toContain(
      `USAGE crcnn ${args.length > 1 ? args[0] : "demo|plan|run|serve|classify|client|test-parameters"}`,
    );
    expect(stdout).not.toContain("\u001b");
  }
  const version = await crcnn(["--version"]);
  expect(version).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: "" });
  expect((await crcnn(["run", "--help"])).stdout).toContain("<MODEL> <IMAGE>…");
});
