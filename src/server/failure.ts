/** Errors as answers: a status, a code and one line, never a stack. */

import { CrcnnError } from "../errors/index.ts";
import { type Failure, type FailureCode, oneLine, statusOf } from "../protocol/index.ts";

/** A failure that only a server has a code for. */
export class ServerError extends Error {
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string) {
    super(message);
    this.name = "ServerError";
    this.code = code;
  }
}

export function failureResponse(code: FailureCode, message: string): Response {
  const failure: Failure = { code, message: oneLine(message) };
  const headers: Record<string, string> = code === "BUSY" ? { "retry-after": "60" } : {};
  return Response.json(failure, { status: statusOf(code), headers });
}

/** The answer to a request that failed; `onInternal` hears of what is not the client's doing. */
export function errorResponse(error: unknown, onInternal: (error: unknown) => void): Response {
  if (error instanceof CrcnnError || error instanceof ServerError) return failureResponse(error.code, error.message);
  onInternal(error);
  return failureResponse("INTERNAL", "the server failed on this request; its log says why");
}
