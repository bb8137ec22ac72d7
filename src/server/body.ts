/** Request bodies of bounded length. */

import { CrcnnError } from "../errors/index.ts";
import { readBounded } from "../protocol/index.ts";

/**
 * Reads a body. Its declared length is checked first, so that nothing of a body that is too long is read; what arrives is counted, since
 * a declaration may be missing or wrong.
 *
 * @throws CrcnnError LIMIT_EXCEEDED above `limit` bytes, INVALID_MESSAGE when the body breaks off.
 */
export async function readBody(
  request: Request,
  limit: number,
  what: string,
  remedy = "the plan's manifest says what belongs in it",
): Promise<Uint8Array<ArrayBuffer>> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  const brokenOff = (cause: unknown): never => {
    throw new CrcnnError("INVALID_MESSAGE", `${what} broke off; send it again`, { cause });
  };
  const bytes = declared > limit ? undefined : await readBounded(request.body, limit).catch(brokenOff);
  if (bytes) return bytes;
  throw new CrcnnError("LIMIT_EXCEEDED", `${what} may have at most ${limit} bytes; ${remedy}`);
}

/** {@link readBody} as UTF-8 text. */
export async function readText(request: Request, limit: number, what: string): Promise<string> {
  return new TextDecoder().decode(await readBody(request, limit, what));
}
