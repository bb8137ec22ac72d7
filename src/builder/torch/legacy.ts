/**
 * The format of torch.save before torch 1.6 (torch/serialization.py, _legacy_save): no archive, but five pickles one after another (magic
 * number, version, facts about the machine, the object, the keys of its storages), then each storage in the order of the keys as its number of
 * elements in 8 bytes and its elements.
 */

import { CrcnnError } from "../../errors/index.ts";
import { printable } from "../source/text.ts";
import { MAX_PICKLE_BYTES } from "./limits.ts";
import { readPickle } from "./pickle-reader.ts";
import { ofKind, type PickleValue, type Storage } from "./pickle-values.ts";
import { checkSameStorage, storageClaim } from "./tensors.ts";
import { unpickleNext } from "./unpickle.ts";

/** The opcode PROTO, which begins every pickle but one of Python 2's first protocols. */
const PROTO = 0x80;
/** LONG1 0x1950a86a20f9469cfc6c, then STOP. */
const MAGIC = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];
/** Behind PROTO, and behind the FRAME that pickles have from protocol 4 on. */
const MAGIC_AT = [2, 11];
const VERSION = 1001;
const COUNT_BYTES = 8;

/** A storage whose elements stand behind the pickle that names it. */
interface PendingStorage extends Storage {
  bytes: Uint8Array;
}

/** True where the bytes begin as a file of this format does. */
export function isLegacy(bytes: Uint8Array): boolean {
  return bytes[0] === PROTO && MAGIC_AT.some((at) => MAGIC.every((byte, i) => bytes[at + i] === byte));
}

/**
 * The object that such a file holds, as inert data.
 *
 * @throws CrcnnError as {@link unpickleNext}; INVALID_FILE also where storages are missing, unknown, cut off or of another length than the pickle
 * says, UNSUPPORTED_FILE for another version and for big-endian machines.
 */
export function readLegacy(bytes: Uint8Array): PickleValue {
  const reader = readPickle(bytes.subarray(0, MAX_PICKLE_BYTES));
  unpickleNext(reader, refuseId);
  checkVersion(unpickleNext(reader, refuseId));
  checkMachine(unpickleNext(reader, refuseId));
  const storages = new Map<string, PendingStorage>();
  const root = unpickleNext(reader, (id) => loadPersistent(id, storages));
  const keys = unpickleNext(reader, refuseId);
  fillStorages(bytes.subarray(reader.position), keys, storages);
  return root;
}

function checkVersion(version: PickleValue): void {
  if (version === VERSION) return;
  const found = typeof version === "number" ? String(version) : "no number";
  throw new CrcnnError("UNSUPPORTED_FILE", `its format has the version ${found}; ${VERSION} is read`);
}

function checkMachine(facts: PickleValue): void {
  const littleEndian = facts instanceof Map ? facts.get("little_endian") : undefined;
  if (littleEndian === true) return;
  if (littleEndian !== false) throw invalid("it does not say in which byte order it was written");
  throw new CrcnnError(
    "UNSUPPORTED_FILE",
    "it was written on a big-endian machine: load it there and save the network again with torch 1.6 or later",
  );
}

/** Ids are `("module", class, file, source)` with the source text of a class, which is of no account here, or name a storage. */
function loadPersistent(id: PickleValue, storages: Map<string, PendingStorage>): PickleValue {
  const [tag, type] = ofKind(id, "tuple")?.items ?? [];
  if (tag === "module") {
    const found = ofKind(type, "class");
    if (found === undefined) throw invalid("its pickle gives the source text of something that is no class");
    return found;
  }
  const claim = storageClaim(id);
  const known = storages.get(claim.key);
  if (known) {
    checkSameStorage(known, claim);
    return known;
  }
  const storage: PendingStorage = {
    kind: "storage",
    dtype: claim.dtype,
    length: claim.length,
    bytes: new Uint8Array(0),
    littleEndian: true,
  };
  storages.set(claim.key, storage);
  return storage;
}

/** Gives each storage its bytes, a view of the file, in the order of the keys. */
function fillStorages(records: Uint8Array, keys: PickleValue, storages: ReadonlyMap<string, PendingStorage>): void {
  if (!Array.isArray(keys)) throw invalid("its list of storages is no list");
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  const filled = new Set<PickleValue>();
  let at = 0;
  for (const key of keys) {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (storage === undefined) throw invalid(`its list of storages names ${quote(key)}, which its pickle does not use`);
    if (filled.has(key)) throw invalid(`its list of storages names ${quote(key)} twice`);
    filled.add(key);
    const { length, dtype } = storage;
    const start = at + COUNT_BYTES;
    if (start > records.length) throw invalid(`it is cut off before storage ${quote(key)}`);
    const count = Number(view.getBigInt64(at, true));
    if (count !== length) throw invalid(`storage ${quote(key)} holds ${count} elements, its pickle says ${length}`);
    at = start + count * dtype.bytes;
    if (at > records.length) {
      throw invalid(`it is cut off: storage ${quote(key)} should hold ${count} elements of ${dtype.name}`);
    }
    storage.bytes = records.subarray(start, at);
  }
  const missing = [...storages.keys()].find((key) => !filled.has(key));
  if (missing !== undefined) throw invalid(`storage ${quote(missing)} is missing from its list of storages`);
  if (at < records.length) throw invalid(`${records.length - at} bytes follow its last storage`);
}

function quote(key: PickleValue): string {
  return typeof key === "string" ? `"${printable(key)}"` : "something that is no text";
}

function refuseId(): never {
  throw invalid("one of the pickles that describe it refers to a storage");
}

function invalid(message: string): CrcnnError {
  return new CrcnnError("INVALID_FILE", message);
}
