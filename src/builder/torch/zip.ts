/**
 * A strict reader of zip archives as torch.save writes them (PKWARE APPNOTE.TXT 6.3): stored entries only, every length
 * checked, the central directory and the local headers in agreement, nothing overlapping, nothing before, between the
 * records of the directory or after them. Entries are views of the file: nothing is copied or allocated by a claimed size.
 */

import { CrcnnError } from "../../errors/index.ts";
import { printable } from "../source/text.ts";
import { crc32 } from "./crc32.ts";
import { MAX_ZIP_ENTRIES } from "./limits.ts";

const LOCAL_HEADER = 0x04034b50;
const CENTRAL_HEADER = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const END_64_LOCATOR = 0x07064b50;
const DATA_DESCRIPTOR = 0x08074b50;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const END_BYTES = 22;
const END_64_BYTES = 56;
const END_64_LOCATOR_BYTES = 20;
const DESCRIPTOR_BYTES = 16;
/** The extra field that holds 64-bit sizes, and the value of a 32-bit field that refers to it (4.5.3). */
const ZIP64_FIELD = 1;
const IN_ZIP64 = 0xffffffff;
const ENCRYPTED = 0x0041;
const HAS_DESCRIPTOR = 0x0008;

/** The entries of an archive. */
export interface ZipArchive {
  readonly names: readonly string[];
  /** The bytes of an entry, a view of the file whose CRC-32 was checked; undefined where there is none of this name. */
  read(name: string): Uint8Array | undefined;
}

interface Entry {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly size: number;
  readonly offset: number;
}

/** True where the bytes begin as a zip archive with at least one entry does. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === LOCAL_HEADER;
}

/**
 * Reads the directory of an archive.
 *
 * @throws CrcnnError INVALID_FILE (damaged, cut off, inconsistent, unsafe names), UNSUPPORTED_FILE (compressed or encrypted),
 * LIMIT_EXCEEDED (more than {@link MAX_ZIP_ENTRIES} entries).
 */
export function openZip(bytes: Uint8Array): ZipArchive {
  const view = viewOf(bytes);
  const directory = findDirectory(view);
  const entries = readDirectory(bytes, directory);
  const data = new Map<string, { entry: Entry; start: number }>();
  let free = 0;
  for (const entry of [...entries].sort((a, b) => a.offset - b.offset)) {
    if (entry.offset < free) throw invalid(`entry "${entry.name}" overlaps another`);
    const start = checkLocalHeader(view, entry, directory.start);
    free = start + entry.size;
    if (entry.flags & HAS_DESCRIPTOR && free + DESCRIPTOR_BYTES <= directory.start) {
      if (view.getUint32(free, true) === DATA_DESCRIPTOR) free += DESCRIPTOR_BYTES;
    }
    data.set(entry.name, { entry, start });
  }
  return {
    names: entries.map((entry) => entry.name),
    read(name) {
      const found = data.get(name);
      if (found === undefined) return undefined;
      const content = bytes.subarray(found.start, found.start + found.entry.size);
      if (crc32(content) !== found.entry.crc) throw invalid(`entry "${name}" is damaged (wrong CRC-32)`);
      return content;
    },
  };
}

interface Directory {
  readonly start: number;
  readonly end: number;
  readonly count: number;
}

/** The central directory from the end records, which must be the last bytes of the file and follow it directly. */
function findDirectory(view: DataView): Directory {
  const end = view.byteLength - END_BYTES;
  if (end < 0 || view.getUint32(end, true) !== END || view.getUint16(end + 20, true) !== 0) {
    throw invalid("the zip archive is cut off: its end record is not at the end of the file");
  }
  if (view.getUint16(end + 4, true) !== 0 || view.getUint16(end + 6, true) !== 0) {
    throw invalid("the zip archive is one part of several");
  }
  const locator = end - END_64_LOCATOR_BYTES;
  const isZip64 = locator >= 0 && view.getUint32(locator, true) === END_64_LOCATOR;
  const directory = isZip64 ? readEnd64(view, locator) : readEnd(view, end);
  if (!(directory.start >= 0 && directory.start + directory.bytes === directory.end)) {
    throw invalid("the zip archive's directory is not where its end record says");
  }
  if (directory.count > MAX_ZIP_ENTRIES) {
    throw new CrcnnError(
      "LIMIT_EXCEEDED",
      `the zip archive has ${directory.count} entries, at most ${MAX_ZIP_ENTRIES}`,
    );
  }
  if (directory.count * CENTRAL_BYTES > directory.bytes) throw invalid("the zip archive's count of entries is wrong");
  return directory;
}

function readEnd(view: DataView, end: number): Directory & { bytes: number } {
  return {
    count: view.getUint16(end + 10, true),
    bytes: view.getUint32(end + 12, true),
    start: view.getUint32(end + 16, true),
    end,
  };
}

function readEnd64(view: DataView, locator: number): Directory & { bytes: number } {
  const end = readUint64(view, locator + 8);
  if (end + END_64_BYTES !== locator || view.getUint32(end, true) !== END_64) {
    throw invalid("the zip archive's zip64 end record is not where its locator says");
  }
  return {
    count: readUint64(view, end + 32),
    bytes: readUint64(view, end + 40),
    start: readUint64(view, end + 48),
    end,
  };
}

function readDirectory(bytes: Uint8Array, directory: Directory): Entry[] {
  const view = viewOf(bytes);
  const entries: Entry[] = [];
  const names = new Set<string>();
  let at = directory.start;
  for (let i = 0; i < directory.count; i++) {
    if (at + CENTRAL_BYTES > directory.end || view.getUint32(at, true) !== CENTRAL_HEADER) {
      throw invalid("the zip archive's directory is damaged or its count of entries is wrong");
    }
    const nameEnd = at + CENTRAL_BYTES + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > directory.end) throw invalid("the zip archive's directory is cut off");
    const name = decodeName(bytes.subarray(at + CENTRAL_BYTES, nameEnd));
    if (names.has(name)) throw invalid(`entry "${name}" is listed twice`);
    names.add(name);
    entries.push(readEntry(view, at, name, nameEnd, extraEnd));
    at = next;
  }
  if (at !== directory.end) throw invalid("the zip archive's directory is longer than its count of entries");
  return entries;
}

function readEntry(view: DataView, at: number, name: string, extra: number, extraEnd: number): Entry {
  // The zip64 field holds only those of the three that do not fit 32 bits, in this order.
  const wide = zip64Values(view, extra, extraEnd);
  const wideOr = (narrow: number): number => {
    if (narrow !== IN_ZIP64) return narrow;
    const value = wide.shift();
    if (value === undefined) throw invalid(`entry "${name}" refers to a zip64 field that it does not have`);
    return value;
  };
  const size = wideOr(view.getUint32(at + 24, true));
  const stored = wideOr(view.getUint32(at + 20, true));
  const offset = wideOr(view.getUint32(at + 42, true));
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  if (flags & ENCRYPTED)
    throw new CrcnnError("UNSUPPORTED_FILE", `entry "${name}" is encrypted: torch.save never does`);
  if (method !== 0) {
    throw new CrcnnError(
      "UNSUPPORTED_FILE",
      `entry "${name}" is compressed (method ${method}); torch.save stores entries as they are: save the model again with torch.save(model, path)`,
    );
  }
  if (size !== stored) throw invalid(`entry "${name}" is stored with ${stored} bytes and said to have ${size}`);
  return { name, flags, method, crc: view.getUint32(at + 16, true), size, offset };
}

function zip64Values(view: DataView, from: number, end: number): number[] {
  for (let at = from; at + 4 <= end; ) {
    const bytes = view.getUint16(at + 2, true);
    if (at + 4 + bytes > end) break;
    if (view.getUint16(at, true) === ZIP64_FIELD) {
      return Array.from({ length: Math.floor(bytes / 8) }, (_, i) => readUint64(view, at + 4 + 8 * i));
    }
    at += 4 + bytes;
  }
  return [];
}

/** Checks that the local header says what the directory says, and returns where the entry's data starts. */
function checkLocalHeader(view: DataView, entry: Entry, limit: number): number {
  const { name, offset } = entry;
  if (offset + LOCAL_BYTES > limit || view.getUint32(offset, true) !== LOCAL_HEADER) {
    throw invalid(`entry "${name}" does not begin where the directory says`);
  }
  const nameEnd = offset + LOCAL_BYTES + view.getUint16(offset + 26, true);
  const start = nameEnd + view.getUint16(offset + 28, true);
  if (start + entry.size > limit) throw invalid(`entry "${name}" is cut off or longer than the file`);
  const local = new Uint8Array(view.buffer, view.byteOffset + offset + LOCAL_BYTES, nameEnd - offset - LOCAL_BYTES);
  // With a descriptor after the data, the writer may leave these fields zero.
  const agrees = (at: number, value: number): boolean => {
    const field = view.getUint32(offset + at, true);
    return field === value || (entry.flags & HAS_DESCRIPTOR && field === 0) || (at !== 14 && field === IN_ZIP64);
  };
  if (
    decodeName(local) !== name ||
    view.getUint16(offset + 6, true) !== entry.flags ||
    view.getUint16(offset + 8, true) !== entry.method ||
    !agrees(14, entry.crc) ||
    !agrees(18, entry.size) ||
    !agrees(22, entry.size)
  ) {
    throw invalid(`entry "${name}" has a local header that disagrees with the directory`);
  }
  return start;
}

/** The name of an entry: UTF-8, relative, without anything that a file system would take for a way out of a folder. */
function decodeName(raw: Uint8Array): string {
  let name: string;
  try {
    name = new TextDecoder("utf-8", { fatal: true }).decode(raw);
  } catch (cause) {
    throw new CrcnnError("INVALID_FILE", "an entry of the zip archive has a name that is not UTF-8", { cause });
  }
  const safe = name.split("/").every((part) => part !== "" && part !== "." && part !== "..") && !/[\\:]/.test(name);
  if (!safe || printable(name) !== name) {
    throw invalid(`entry name "${printable(name)}" is empty, absolute, unsafe or too long`);
  }
  return name;
}

/** A 64-bit size or offset; one above 2^53 is beyond any file, so the rounding is of no account. */
function readUint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function invalid(message: string): CrcnnError {
  return new CrcnnError("INVALID_FILE", message);
}
