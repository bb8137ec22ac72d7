/** The archive of torch.save since torch 1.6: one folder with `data.pkl`, the storages `data/0` …, and notes about the format. */

import { CrcnnError } from "../../errors/index.ts";
import { foreignArchive, foreignFile } from "./foreign.ts";
import { MAX_PICKLE_BYTES } from "./limits.ts";
import { isZip, openZip } from "./zip.ts";

export interface TorchArchive {
  readonly pickle: Uint8Array;
  /** Byte order of every storage. */
  readonly littleEndian: boolean;
  /** The bytes of the storage with this key; undefined where there is none. */
  storage(key: string): Uint8Array | undefined;
}

/**
 * Opens an archive of torch.save, told from other files by its content.
 *
 * @throws CrcnnError INVALID_FILE, UNSUPPORTED_FILE, LIMIT_EXCEEDED.
 */
export function openArchive(bytes: Uint8Array): TorchArchive {
  if (!isZip(bytes)) throw foreignFile(bytes);
  const zip = openZip(bytes);
  const foreign = foreignArchive(zip.names);
  if (foreign) throw foreign;
  const folders = new Set(zip.names.map((name) => name.slice(0, name.indexOf("/") + 1)));
  const [folder] = folders;
  if (folders.size !== 1 || folder === "") {
    throw new CrcnnError("INVALID_FILE", `the zip archive has ${folders.size} top folders; one of torch.save has one`);
  }
  const pickle = zip.read(`${folder}data.pkl`);
  if (pickle === undefined) throw new CrcnnError("INVALID_FILE", "the zip archive has no data.pkl");
  if (pickle.length > MAX_PICKLE_BYTES) {
    throw new CrcnnError("LIMIT_EXCEEDED", `data.pkl has ${pickle.length} bytes, at most ${MAX_PICKLE_BYTES} are read`);
  }
  return {
    pickle,
    littleEndian: isLittleEndian(zip.read(`${folder}byteorder`)),
    storage: (key) => zip.read(`${folder}data/${key}`),
  };
}

/** Files from before torch 2.1 have no such entry; they are little-endian wherever torch runs in practice. */
function isLittleEndian(entry: Uint8Array | undefined): boolean {
  const order = entry === undefined ? "little" : new TextDecoder().decode(entry.subarray(0, 16));
  if (order !== "little" && order !== "big") {
    throw new CrcnnError("INVALID_FILE", 'its byteorder entry says neither "little" nor "big"');
  }
  return order === "little";
}
