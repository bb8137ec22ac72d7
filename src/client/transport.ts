/** HTTP with bounded answers and errors that people understand. */

import { CrcnnError, throwIfAborted } from "../errors/index.ts";
import { CONTENT_TYPES, parseFailure, readBounded, ServerRefusedError } from "../protocol/index.ts";

/** What is used of `fetch`. */
export type Fetch = (request: Request) => Promise<Response>;

export interface Exchange {
  readonly method: "GET" | "POST" | "DELETE";
  /** Relative to the server's address. */
  readonly path: string;
  /** Text is sent as JSON, bytes as they are. */
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Most bytes that the answer may have. */
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly headers: Headers;
}

/** @throws CrcnnError SERVER_UNREACHABLE, SERVER_REFUSED (a `ServerRefusedError`), LIMIT_EXCEEDED, ABORTED. */
export type Transport = (exchange: Exchange) => Promise<Answer>;

/** Most bytes of an error's body that are looked at. */
const MAX_FAILURE_BYTES = 65_536;

/**
 * @param server The server's address, `http://host:port` with or without a path.
 * @throws TypeError when it is no such address.
 */
export function createTransport(server: string, fetch: Fetch): Transport {
  const base = parseServer(server);
  return async ({ method, path, body, limit, signal }) => {
    throwIfAborted(signal);
    const request = new Request(new URL(path, base), {
      method,
      ...(body === undefined ? {} : { body, headers: { "content-type": contentTypeOf(body) } }),
      ...(signal ? { signal } : {}),
    });
    const lost = (cause: unknown): never => {
      throwIfAborted(signal);
      throw new CrcnnError(
        "SERVER_UNREACHABLE",
        `no answer came from ${server} (${reasonOf(cause)}); check the address and that the server runs`,
        { cause },
      );
    };
    const response = await fetch(request).catch(lost);
    if (response.ok) return { bytes: await readAnswer(response, limit, lost), headers: response.headers };
    const text = new TextDecoder().decode(await readAnswer(response, MAX_FAILURE_BYTES, lost));
    const failure = parseFailure(text);
    throw new ServerRefusedError(
      failure
        ? `the server at ${server} refused: ${failure.message}`
        : `${server} answered with HTTP status ${response.status} and no reason; is it a crcnn server?`,
      response.status,
      failure,
    );
  };
}

function parseServer(server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new TypeError(`server must be an address as http://127.0.0.1:8080, got ${JSON.stringify(server)}`);
  }
  if (url.username || url.password)
    throw new TypeError("server must be an address without a user name and password, which fetch does not send");
  // Paths are resolved relative to a folder.
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

function contentTypeOf(body: string | Uint8Array): string {
  return typeof body === "string" ? CONTENT_TYPES.json : CONTENT_TYPES.binary;
}

/** What Node's `fetch` calls a connection that the other side ended in the middle of an exchange. */
const BROKEN_OFF: readonly unknown[] = ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"];

/** `fetch` says "fetch failed" and hides the reason in the error's cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = (error ?? {}) as { cause?: { code?: unknown; message?: unknown }; message?: unknown };
  if (cause?.code === "ECONNREFUSED") return "the connection was refused";
  if (BROKEN_OFF.includes(cause?.code)) return "the connection broke off";
  if (cause?.code === "ENOTFOUND" || cause?.code === "EAI_AGAIN") return "its name is not known";
  return String(cause?.code ?? cause?.message ?? message ?? error);
}

async function readAnswer(
  response: Response,
  limit: number,
  lost: (cause: unknown) => never,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readBounded(response.body, limit).catch(lost);
  if (bytes) return bytes;
  throw new CrcnnError(
    "LIMIT_EXCEEDED",
    `the server's answer has more than the ${limit} bytes that are expected of it`,
  );
}
