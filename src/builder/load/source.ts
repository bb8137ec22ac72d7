/** Where models come from: what `load` takes, and what it asks of a runtime. */

/** A file's path or address, or its content. */
export type ModelSource = string | URL | Uint8Array | ArrayBuffer | Blob;

/**
 * The content of the file with this path or address.
 *
 * @param limit more bytes than these are not read.
 * @throws CrcnnError LIMIT_EXCEEDED, and what the runtime says of a file that cannot be read.
 */
export type ReadFile = (path: string | URL, limit: number) => Promise<Uint8Array>;
