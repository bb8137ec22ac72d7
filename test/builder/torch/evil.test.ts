import { afterEach, describe, expect, test } from "vitest";
import { loadTorch, readTorchFile } from "../../../src/builder/torch/load.ts";
import { ofKind, type PickleValue } from "../../../src/builder/torch/pickle-values.ts";
import { readElements } from "../../../src/builder/torch/tensors.ts";
import { fixture, jsonFixture, refusal } from "./fixtures.ts";

interface Row {
  readonly file: string;
  readonly answer: "loads" | "error" | "harmless" | "loads-or-error";
}

const { files } = jsonFixture<{ files: Row[] }>("evil/manifest.json");
const MOST_MILLISECONDS = 1000;
const PROTOTYPE = Reflect.ownKeys(Object.prototype);

afterEach(() => {
  expect(Reflect.ownKeys(Object.prototype)).toEqual(PROTOTYPE);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

function weightOf(root: PickleValue): number[] {
  const tensor = ofKind((root as Map<string, PickleValue>).get("weight"), "tensor");
  return [...(readElements(tensor!) ?? [])];
}

describe("the reader below the model", () => {
  // These hold state_dicts, a number or a tuple, which only the model's reader refuses.
  const refusedAbove = new Set(["pickle/returns-int.pt"]);

  test.each(files)("$file: $answer", ({ file, answer }) => {
    const bytes = fixture(`evil/${file}`);
    const start = performance.now();
    if (answer === "loads") expect(weightOf(readTorchFile(bytes))).toEqual([1, 2, 3, 4]);
    else if (answer === "error" && !refusedAbove.has(file)) refusal(() => readTorchFile(bytes));
    else {
      try {
        const root = readTorchFile(bytes);
        if (answer === "loads-or-error") expect(weightOf(root)).toEqual([1, 2, 3, 4]);
      } catch (error) {
        refusal(() => {
          throw error;
        });
      }
    }
    expect(performance.now() - start).toBeLessThan(MOST_MILLISECONDS);
  });

  test("big-endian storages are swapped", () => {
    expect(weightOf(readTorchFile(fixture("evil/storage/big-endian.pt")))).toEqual([1, 2, 3, 4]);
  });
});

describe("the reader of models", () => {
  test.each(files)("$file is no model", ({ file }) => {
    const error = refusal(() => loadTorch(fixture(`evil/${file}`), file));
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
