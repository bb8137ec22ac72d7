import { CrcnnError } from "../../errors/index.ts";

/**
 * All chunks of a stream, which may be one without an end, as one array.
 *
 * @param name what messages call the file.
 * @throws CrcnnError LIMIT_EXCEEDED as soon as there are more than `limit` bytes, and what the stream throws.
 */
export async function collectChunks(
  stream: AsyncIterable<Uint8Array>,
  limit: number,
  name: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) {
      throw new CrcnnError("LIMIT_EXCEEDED", `${name}: it has more than the ${limit} bytes that are read`);
    }
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
