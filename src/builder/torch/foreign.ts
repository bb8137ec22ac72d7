/** Names files that are no torch.save(model) archive, so that the error can say what they are and what would be right. */

import { CrcnnError, type ErrorCode } from "../../errors/index.ts";
import { isOnnx } from "../onnx/is-onnx.ts";

const SAVE_AGAIN = "save the network with torch.save(model, path)";
const USE_LOAD = "read it with load(source, { architecture })";
const FETCH_AGAIN = "download the file itself";

type Verdict = readonly [code: ErrorCode, what: string, remedy: string];

/** Beginnings of files, with what they mean. The first match counts. */
const BEGINNINGS: readonly (readonly [prefix: string, ...verdict: Verdict])[] = [
  ["\x80", "UNSUPPORTED_FILE", "it is a bare pickle (joblib, scikit-learn or a damaged torch file)", SAVE_AGAIN],
  ["version https://git-lfs", "UNSUPPORTED_FILE", "it is a Git LFS pointer, not the file itself", "run git lfs pull"],
  [
    "\x89HDF\r\n\x1a\n",
    "UNSUPPORTED_FILE",
    "it is an HDF5 file (Keras writes those)",
    "rebuild the network in PyTorch",
  ],
  ["\x1f\x8b", "UNSUPPORTED_FILE", "it is a gzip file", "unpack it first"],
  ["\x93NUMPY", "UNSUPPORTED_FILE", "it is a .npy array, not a network", SAVE_AGAIN],
  ["<", "UNSUPPORTED_FILE", "it is a web page or XML text, not the file itself", FETCH_AGAIN],
  ["{", "UNSUPPORTED_FILE", "it is JSON text", SAVE_AGAIN],
  ["PK\x05\x06", "INVALID_FILE", "it is an empty zip archive", SAVE_AGAIN],
];

const TAR_MAGIC_AT = 257;

/** The error for a file that does not begin as a zip archive. */
export function foreignFile(bytes: Uint8Array): CrcnnError {
  return refusal(classify(bytes));
}

function classify(bytes: Uint8Array): Verdict {
  if (bytes.length === 0) return ["INVALID_FILE", "it is empty", FETCH_AGAIN];
  const start = String.fromCharCode(...bytes.subarray(0, 512));
  for (const [prefix, ...verdict] of BEGINNINGS) if (start.startsWith(prefix)) return verdict;
  if (start.startsWith("ustar", TAR_MAGIC_AT)) {
    return ["UNSUPPORTED_FILE", "it is a tar archive (torch before 0.1.10, or a packed folder)", SAVE_AGAIN];
  }
  // The header's length, then JSON: https://github.com/huggingface/safetensors#format.
  if (start[8] === "{" && start.startsWith("\0\0", 6)) {
    return ["UNSUPPORTED_FILE", "it is a safetensors file, which holds weights without layers", USE_LOAD];
  }
  if (isOnnx(bytes)) return ["UNSUPPORTED_FILE", "it is an ONNX model", "read it with load(source)"];
  if (/^[\s -~]*$/.test(start)) return ["UNSUPPORTED_FILE", "it is a text file", SAVE_AGAIN];
  return ["INVALID_FILE", "it is not a file of torch.save, or damaged", SAVE_AGAIN];
}

/** The error for a zip archive with these entries that is no torch.save(model) archive; undefined where it may be one. */
export function foreignArchive(names: readonly string[]): CrcnnError | undefined {
  const inside = names.map((name) => name.slice(name.indexOf("/") + 1));
  if (inside.some((name) => name === "constants.pkl" || name.startsWith("code/"))) {
    return refusal([
      "UNSUPPORTED_FILE",
      "it is a TorchScript archive (torch.jit.save), whose layers are compiled",
      SAVE_AGAIN,
    ]);
  }
  if (inside.some((name) => name === "archive_format" || name === "serialized_exported_program.json")) {
    return refusal(["UNSUPPORTED_FILE", "it is a torch.export archive, whose layers are traced", SAVE_AGAIN]);
  }
  if (names.some((name) => name.endsWith(".npy"))) {
    return refusal(["UNSUPPORTED_FILE", "it is a .npz archive of arrays without layers", SAVE_AGAIN]);
  }
  if (!inside.includes("data.pkl")) {
    return refusal(["UNSUPPORTED_FILE", "it is a zip archive without data.pkl, so not one of torch.save", SAVE_AGAIN]);
  }
  return undefined;
}

function refusal([code, what, remedy]: Verdict): CrcnnError {
  return new CrcnnError(code, `${what}: ${remedy}`);
}
