/** The first bytes of every message: a mark, the kind of content, and a digest of the parameters that it was made for. */

import { sha256 } from "@noble/hashes/sha2.js";
import { CrcnnError } from "../../errors/index.ts";
import type { RlweContext } from "../parameters.ts";
import type { ByteReader, ByteWriter } from "./bytes.ts";

const MARK = 0x4e435243; // "CRCN"
const VERSION = 1;
const DIGEST_BYTES = 8;
/** Bytes that every message begins with. */
export const HEADER_BYTES: number = 4 + 1 + 1 + DIGEST_BYTES;

/** Kinds of messages. */
export const MESSAGE_KINDS = { ciphertexts: 1, evaluationKeys: 2, publicKey: 3 } as const;
export type MessageKind = keyof typeof MESSAGE_KINDS;

function digest(context: RlweContext): Uint8Array {
  return sha256(new TextEncoder().encode(context.id)).subarray(0, DIGEST_BYTES);
}

export function writeHeader(writer: ByteWriter, kind: MessageKind, context: RlweContext): void {
  writer.uint32(MARK);
  writer.uint8(VERSION);
  writer.uint8(MESSAGE_KINDS[kind]);
  writer.bytes(digest(context));
}

/** @throws CrcnnError INVALID_MESSAGE for anything else than a message of this kind, FOREIGN_OBJECT for other parameters. */
export function readHeader(reader: ByteReader, kind: MessageKind, context: RlweContext): void {
  if (reader.uint32() !== MARK) throw new CrcnnError("INVALID_MESSAGE", "these bytes are not a crcnn message");
  const version = reader.uint8();
  if (version !== VERSION) {
    throw new CrcnnError(
      "INVALID_MESSAGE",
      `the message has format version ${version}, this crcnn reads version ${VERSION}`,
    );
  }
  const found = reader.uint8();
  if (found !== MESSAGE_KINDS[kind]) {
    const name = Object.entries(MESSAGE_KINDS).find(([, number]) => number === found)?.[0] ?? `kind ${found}`;
    throw new CrcnnError("INVALID_MESSAGE", `the message holds ${name}, expected ${kind}`);
  }
  const theirs = reader.bytes(DIGEST_BYTES);
  if (digest(context).every((byte, i) => byte === theirs[i])) return;
  throw new CrcnnError(
    "FOREIGN_OBJECT",
    "the message was made for other encryption parameters; ask for the plan again",
  );
}
