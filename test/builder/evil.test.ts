import { execFileSync } from "node:child_process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { type Architecture, readModel, runModel } from "../../src/builder/index.ts";
import { loadTorch } from "../../src/builder/torch/index.ts";
import { fixture, jsonFixture, refusal } from "./torch/fixtures.ts";

interface Row {
  readonly file: string;
  readonly answer: "loads" | "error" | "harmless" | "loads-or-error";
}

const { files } = jsonFixture<{ files: Row[] }>("evil/manifest.json");
const MOST_MILLISECONDS = 1000;
const MOST_MEBIBYTES = 200;
const PROTOTYPE = Reflect.ownKeys(Object.prototype);
/** The controls are state_dicts of one entry, the matrix [[1, 2], [3, 4]] called `weight`. */
const CONTROL: Architecture = { kind: "Linear", inFeatures: 2, outFeatures: 2, bias: false };

afterEach(() => {
  expect(Reflect.ownKeys(Object.prototype)).toEqual(PROTOTYPE);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

/** The matrix of a file, by the layer's answers to unit vectors; throws what the reader throws. */
function matrixOf(file: string): number[] {
  const model = readModel(fixture(`evil/${file}`), { architecture: CONTROL, name: file });
  const columns = [Float64Array.of(1, 0), Float64Array.of(0, 1)].map((data) => runModel(model, { shape: [2], data }));
  return [0, 1].flatMap((row) => columns.map(({ data }) => data[row]));
}

describe("files as weights of a layer", () => {
  test.each(files)("$file: $answer", ({ file, answer }) => {
    const start = performance.now();
    if (answer === "loads") expect(matrixOf(file)).toEqual([1, 2, 3, 4]);
    else if (answer === "error") {
      // Refused for what is wrong with it, not because the layer would be another.
      expect(refusal(() => matrixOf(file)).code).not.toBe("STATE_MISMATCH");
    } else {
      let matrix: number[] | undefined;
      try {
        matrix = matrixOf(file);
      } catch (error) {
        refusal(() => {
          throw error;
        });
      }
      if (answer === "loads-or-error" && matrix) expect(matrix).toEqual([1, 2, 3, 4]);
    }
    expect(performance.now() - start).toBeLessThan(MOST_MILLISECONDS);
  });

  test("all kinds are there", () => {
    expect(new Set(files.map(({ file }) => file.split("/").at(-2) ?? "control"))).toEqual(
      new Set(["control", "pickle", "storage", "zip", "legacy", "safetensors", "foreign"]),
    );
  });
});

test("all of them together take little time and memory in a process that may neither write nor start another", () => {
  const permission = process.allowedNodeEnvironmentFlags.has("--permission")
    ? "--permission"
    : "--experimental-permission";
  const program = `
    import { readFileSync } from "node:fs";
    import { readModel } from ${JSON.stringify(pathToFileURL(fileURLToPath(new URL("../../dist/builder/index.js", import.meta.url))).href)};
    const files = JSON.parse(process.argv[1]).map((file) => readFileSync(file));
    const before = process.memoryUsage.rss();
    let slowest = 0;
    for (const architecture of [undefined, ${JSON.stringify(CONTROL)}]) {
      for (const bytes of files) {
        const start = performance.now();
        try { readModel(bytes, { architecture }); } catch (error) { if (error.name !== "CrcnnError") throw error; }
        slowest = Math.max(slowest, performance.now() - start);
      }
    }
    console.log(JSON.stringify({ slowest, mebibytes: process.resourceUsage().maxRSS / 1024 - before / 2 ** 20 }));`;
  const paths = files.map(({ file }) => fileURLToPath(new URL(`../fixtures/evil/${file}`, import.meta.url)));
  const flags = [permission, "--allow-fs-read=*", "--no-warnings", "--disallow-code-generation-from-strings"];
  const output = execFileSync(process.execPath, [
    ...flags,
    "--input-type=module",
    "--eval",
    program,
    JSON.stringify(paths),
  ]);
  const { slowest, mebibytes } = JSON.parse(output.toString()) as { slowest: number; mebibytes: number };
  console.log(`the slowest took ${slowest.toFixed(0)} ms, all together ${mebibytes.toFixed(0)} MiB`);
  expect(slowest).toBeLessThan(MOST_MILLISECONDS);
  expect(mebibytes).toBeLessThan(MOST_MEBIBYTES);
});

describe("files as models", () => {
  test.each(files)("$file is no model", ({ file }) => {
    const error = refusal(() => readModel(fixture(`evil/${file}`), { name: file }));
    expect(error.message.startsWith(`${file}: `)).toBe(true);
  });

  test.each([
    ["pickle/os-system.pt", "os.system"],
    ["pickle/os-system.legacy.pth", "os.system"],
    ["pickle/builtins-eval.legacy.pth", "builtins.eval"],
    ["pickle/load-from-bytes.legacy.pth", "torch.storage._load_from_bytes"],
    ["pickle/posix-system.pt", "posix.system"],
    ["pickle/builtins-eval.pt", "builtins.eval"],
    ["pickle/global-unused.pt", "os.system"],
    ["pickle/global-hidden-in-value.pt", "os.system"],
    ["pickle/stack-global.pt", "os.system"],
    ["pickle/inst.pt", "os.system"],
    ["pickle/newobj.pt", "subprocess.Popen"],
    ["pickle/newobj-ex.pt", "subprocess.Popen"],
    ["pickle/torch-load-nested.pt", "torch.load"],
    ["pickle/numpy-load.pt", "numpy.load"],
    ["pickle/dotted-name.pt", "Linear.forward"],
    ["pickle/js-function.pt", "Function.constructor"],
    ["pickle/js-process.pt", "process.exit"],
    ["storage/type-is-function.pt", "torch.load"],
  ])("%s is UNSAFE_FILE naming %s", (file, name) => {
    const error = refusal(() => loadTorch(fixture(`evil/${file}`)));
    expect(error.code).toBe("UNSAFE_FILE");
    expect(error.message).toContain(name);
  });

  test.each([
    ["ok-control.pt", "UNSUPPORTED_FILE", "state_dict"],
    ["ok-control.legacy.pth", "UNSUPPORTED_FILE", "state_dict"],
    ["legacy/wrong-magic.pth", "UNSUPPORTED_FILE", "bare pickle"],
    ["legacy/magic-runs-code.pth", "UNSUPPORTED_FILE", "bare pickle"],
    ["legacy/protocol-1002.pth", "UNSUPPORTED_FILE", "version 1002; 1001"],
    ["legacy/big-endian.pth", "UNSUPPORTED_FILE", "big-endian"],
    ["legacy/numel-2e40.pth", "INVALID_FILE", "holds 1099511627776 elements, its pickle says 4"],
    ["legacy/numel-negative.pth", "INVALID_FILE", "holds -1 elements, its pickle says 4"],
    ["legacy/numel-differs.pth", "INVALID_FILE", "holds 3 elements, its pickle says 4"],
    ["legacy/keys-missing.pth", "INVALID_FILE", "missing from its list"],
    ["legacy/keys-unknown.pth", "INVALID_FILE", 'names "1", which its pickle does not use'],
    ["legacy/truncated-half.pth", "INVALID_FILE", "cut off"],
    ["legacy/truncated-minus20.pth", "INVALID_FILE", "cut off"],
    ["legacy/truncated-minus1.pth", "INVALID_FILE", "cut off"],
    ["ok-deflated.pt", "UNSUPPORTED_FILE", "compressed"],
    ["foreign/lfs-pointer.pt", "UNSUPPORTED_FILE", "git lfs pull"],
    ["foreign/page.pt", "UNSUPPORTED_FILE", "web page"],
    ["foreign/json.pt", "UNSUPPORTED_FILE", "JSON"],
    ["foreign/hdf5.pt", "UNSUPPORTED_FILE", "HDF5"],
    ["foreign/npz.pt", "UNSUPPORTED_FILE", ".npz"],
    ["foreign/plain.zip.pt", "UNSUPPORTED_FILE", "without data.pkl"],
    ["foreign/torchscript-like.pt", "UNSUPPORTED_FILE", "TorchScript"],
    ["foreign/pt2-like.pt2", "UNSUPPORTED_FILE", "torch.export"],
    ["foreign/tar.pth", "UNSUPPORTED_FILE", "tar archive"],
    ["foreign/gzip.pt", "UNSUPPORTED_FILE", "gzip"],
    ["foreign/joblib.pt", "UNSUPPORTED_FILE", "bare pickle"],
    ["foreign/empty.pt", "INVALID_FILE", "empty"],
    ["storage/quantized.pt", "UNSUPPORTED_FILE", "quantized"],
    ["storage/stride-zero-huge-size.pt", "LIMIT_EXCEEDED", "elements"],
    ["zip/crc-wrong-pickle.pt", "INVALID_FILE", "CRC-32"],
    ["zip/crc-wrong-tensor.pt", "INVALID_FILE", "CRC-32"],
    ["zip/count-lies.pt", "LIMIT_EXCEEDED", "60000 entries"],
    ["zip/two-pickles.pt", "INVALID_FILE", "top folders"],
    ["zip/duplicate-name.pt", "INVALID_FILE", "twice"],
    ["zip/overlap.pt", "INVALID_FILE", "overlaps"],
  ])("%s is %s: %s", (file, code, words) => {
    const error = refusal(() => loadTorch(fixture(`evil/${file}`)));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });
});
