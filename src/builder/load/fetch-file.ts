/** Files by their addresses: in browsers and on edge runtimes, which have no file system, relative ones, too. */

import { CrcnnError } from "../../errors/index.ts";
import { printable } from "../source/text.ts";
import { collectChunks } from "./chunks.ts";
import type { ReadFile } from "./source.ts";

/** @throws CrcnnError SERVER_REFUSED for an answer other than a file, SERVER_UNREACHABLE without one, LIMIT_EXCEEDED. */
export const readFile: ReadFile = async (path, limit) => {
  const name = printable(String(path));
  let response: Response;
  try {
    response = await fetch(path);
  } catch (cause) {
    throw new CrcnnError("SERVER_UNREACHABLE", `${name}: it cannot be fetched: ${(cause as Error).message}`, { cause });
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw new CrcnnError(
      "SERVER_REFUSED",
      `${name}: the server answered with status ${response.status}, not with a file`,
    );
  }
  return response.body === null ? new Uint8Array(0) : collectChunks(chunksOf(response.body), limit, name);
};

/** Streams can be iterated over on some runtimes only. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}
