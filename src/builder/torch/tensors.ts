/** Storages and the tensors that look into them, checked when the pickle names them and read only when a layer needs them. */

import { CrcnnError } from "../../errors/index.ts";
import { BFLOAT16, type ElementType, FLOAT16, FLOAT32, FLOAT64 } from "../source/element-types.ts";
import { MAX_AXES, MAX_ELEMENTS } from "../source/limits.ts";
import { printable } from "../source/text.ts";
import type { TorchArchive } from "./archive.ts";
import { describe, ofKind, type PickleValue, type Storage, type TensorView } from "./pickle-values.ts";

/** Storages are numbered: from 0 in archives, by their address in files from before torch 1.6. */
const KEY = /^\d{1,20}$/;

/** PyTorch's storage classes, all in the module `torch`. */
export const STORAGE_TYPES: ReadonlyMap<string, ElementType> = new Map<string, ElementType>([
  ["FloatStorage", FLOAT32],
  ["DoubleStorage", FLOAT64],
  ["HalfStorage", FLOAT16],
  ["BFloat16Storage", BFLOAT16],
  ["LongStorage", { name: "int64", bytes: 8 }],
  ["IntStorage", { name: "int32", bytes: 4 }],
  ["ShortStorage", { name: "int16", bytes: 2 }],
  ["CharStorage", { name: "int8", bytes: 1 }],
  ["ByteStorage", { name: "uint8", bytes: 1 }],
  ["BoolStorage", { name: "bool", bytes: 1 }],
  ["ComplexFloatStorage", { name: "complex64", bytes: 8 }],
  ["ComplexDoubleStorage", { name: "complex128", bytes: 16 }],
]);

/** What a pickle says of a storage, none of it checked against the storage itself. */
export interface StorageClaim {
  readonly key: string;
  readonly dtype: ElementType;
  /** Number of elements. */
  readonly length: number;
}

/**
 * Reads a persistent id `("storage", type, key, location, length[, view])`.
 *
 * @throws CrcnnError INVALID_FILE for anything else, UNSUPPORTED_FILE for a view into another storage.
 */
export function storageClaim(id: PickleValue): StorageClaim {
  const [tag, type, key, location, length, view = null] = ofKind(id, "tuple")?.items ?? [];
  const dtype = ofKind(type, "storage-type")?.dtype;
  if (tag !== "storage" || dtype === undefined || typeof key !== "string" || typeof location !== "string") {
    throw invalid("its pickle refers to something other than a tensor storage");
  }
  if (!KEY.test(key)) throw invalid(`its pickle names the storage "${printable(key)}"; torch numbers them`);
  if (!isNatural(length)) throw invalid(`the length of storage ${key} is ${describe(length ?? null)}`);
  if (view !== null) {
    throw new CrcnnError("UNSUPPORTED_FILE", `storage ${key} is a view of another: load the network and save it again`);
  }
  return { key, dtype, length };
}

/** @throws CrcnnError INVALID_FILE where a storage that is known already is claimed to be something else. */
export function checkSameStorage({ dtype, length }: Storage, claim: StorageClaim): void {
  if (dtype === claim.dtype && length === claim.length) return;
  throw invalid(`storage ${claim.key} is described in two ways`);
}

/** The storages of an archive by the persistent ids of its pickle. Each is looked up and its CRC checked once. */
export function storageLoader(archive: TorchArchive): (id: PickleValue) => Storage {
  const loaded = new Map<string, Storage>();
  return (id) => {
    const claim = storageClaim(id);
    const { key, dtype, length } = claim;
    const known = loaded.get(key);
    if (known) {
      checkSameStorage(known, claim);
      return known;
    }
    const bytes = archive.storage(key);
    if (bytes === undefined) throw invalid(`storage ${key} is missing from the archive`);
    if (length * dtype.bytes !== bytes.length) {
      throw invalid(
        `storage ${key} should hold ${length} elements of ${dtype.name} (${dtype.bytes} bytes each) and has ${bytes.length} bytes`,
      );
    }
    const storage: Storage = { kind: "storage", dtype, bytes, littleEndian: archive.littleEndian, length };
    loaded.set(key, storage);
    return storage;
  };
}

/**
 * torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks[, metadata]).
 *
 * @throws CrcnnError INVALID_FILE for arguments of the wrong kind or a view that leaves its storage, LIMIT_EXCEEDED for one of
 * more than {@link MAX_ELEMENTS} elements.
 */
export function rebuildTensor(args: readonly PickleValue[]): TensorView {
  const [source, offset, size, stride, , , metadata] = args;
  const storage = ofKind(source, "storage");
  if (storage === undefined) throw invalid("a tensor is made of something other than a storage");
  if (metadata instanceof Map && metadata.size > 0) {
    throw new CrcnnError("UNSUPPORTED_FILE", "a tensor is a conjugate or negative view: save model.to(torch.float32)");
  }
  const shape = naturals(size, "size");
  const strides = naturals(stride, "stride");
  if (!isNatural(offset)) throw invalid("a tensor's storage offset is not a natural number");
  if (shape.length !== strides.length)
    throw invalid(`a tensor has ${shape.length} sizes and ${strides.length} strides`);
  if (shape.length > MAX_AXES) throw limit(`a tensor has ${shape.length} axes, at most ${MAX_AXES} are read`);
  const elements = shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
  if (elements > MAX_ELEMENTS) throw limit(`a tensor of ${shape.join("x")} has more than ${MAX_ELEMENTS} elements`);
  const last = shape.reduce((at, length, axis) => at + (length - 1) * strides[axis], offset);
  if (elements > 0 && last >= storage.length) {
    throw invalid(`a tensor of ${shape.join("x")} reaches element ${last} of a storage of ${storage.length}`);
  }
  return { kind: "tensor", storage, offset, shape, strides };
}

function naturals(value: PickleValue | undefined, what: string): readonly number[] {
  const items = ofKind(value, "tuple")?.items;
  if (!items?.every(isNatural)) throw invalid(`a tensor's ${what} is not a tuple of natural numbers`);
  return items;
}

function isNatural(value: PickleValue | undefined): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** The elements of a tensor in row-major order, widened exactly to doubles; undefined where they are not floats. */
export function readElements({ storage, offset, shape, strides }: TensorView): Float64Array | undefined {
  const { dtype, bytes, littleEndian } = storage;
  if (dtype.read === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(shape.reduce((product, length) => product * length, 1));
  const index = new Array<number>(shape.length).fill(0);
  let at = offset;
  for (let i = 0; i < values.length; i++) {
    values[i] = dtype.read(view, at * dtype.bytes, littleEndian);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis];
      if (++index[axis] < shape[axis]) break;
      at -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return values;
}

function invalid(message: string): CrcnnError {
  return new CrcnnError("INVALID_FILE", message);
}

function limit(message: string): CrcnnError {
  return new CrcnnError("LIMIT_EXCEEDED", message);
}
