/** Errors as answers: a status, a code and one line, never a stack. */

import { CrcnnError } from "../errors/index.ts";
import { type Failure, type FailureCode, oneLine, statusOf } from "../protocol/index.ts";

/** When it is worth asking again by default, in seconds: sessions are held for minutes. */
const RETRY_AFTER = 60;

/** A failure that only a server has a code for. */
export class ServerError extends Error {
  readonly code: FailureCode;
  /** For BUSY: when it is worth asking again, in seconds. */
  readonly retryAfter: number;

  constructor(code: FailureCode, message: string, retryAfter: number = RETRY_AFTER) {
    super(message);
    this.name = "ServerError";
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

export function failureResponse(code: FailureCode, message: string, retryAfter: number = RETRY_AFTER): Response {
  const failure: Failure = { code, message: oneLine(message) };
  const headers: Record<string, string> = code === "BUSY" ? { "retry-after": String(retryAfter) } : {};
  return Response.json(failure, { status: statusOf(code), headers });
}

/** The answer to a request that failed; `onInternal` hears of what is not the client's doing. */
export function errorResponse(error: unknown, onInternal: (error: unknown) => void): Response {
  if (error instanceof ServerError) return failureResponse(error.code, error.message, error.retryAfter);
  if (error instanceof CrcnnError) return failureResponse(error.code, error.message);
  onInternal(error);
  return failureResponse("INTERNAL", "the server failed on this request; its log says why");
}
