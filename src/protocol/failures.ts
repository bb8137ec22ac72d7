/** How the server says that something went wrong. */

import { CrcnnError, ERROR_CODES, type ErrorCode } from "../errors/index.ts";

/** What only a server can have to say, besides the codes of `crcnn/errors`. */
export const SERVER_CODES = {
  NOT_FOUND: "the server has nothing at this path",
  BUSY: "the server holds as many sessions, plans or waiting requests as it may",
  INTERNAL: "the server failed for a reason of its own",
} as const;

export type FailureCode = ErrorCode | keyof typeof SERVER_CODES;

/** The body of every answer that is not a success. */
export interface Failure {
  readonly code: FailureCode;
  /** One line for people. */
  readonly message: string;
}

const STATUS: Partial<Record<FailureCode, number>> = {
  NOT_FOUND: 404,
  UNKNOWN_MODEL: 404,
  UNKNOWN_SESSION: 404,
  FOREIGN_OBJECT: 409,
  LIMIT_EXCEEDED: 413,
  SHAPE_MISMATCH: 422,
  MISSING_KEY: 422,
  NO_PARAMETERS: 422,
  REFRESH_NEEDED: 422,
  UNSUPPORTED_LAYER: 422,
  UNSUPPORTED_MODEL: 422,
  VALUE_RANGE: 422,
  BUSY: 503,
  WORKER_LOST: 503,
  MEMORY_LIMIT: 503,
  INTERNAL: 500,
};

/** The HTTP status of a failure: 400 for what has none of its own. */
export function statusOf(code: FailureCode): number {
  return STATUS[code] ?? 400;
}

const MAXIMUM_MESSAGE = 1000;

/**
 * Reads a failure's body. It comes from the other side of a wire, so its message is cut to one printable line.
 *
 * @returns undefined where the text is something else, as the error page of a proxy is.
 */
export function parseFailure(text: string): Failure | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { code, message } = (parsed ?? {}) as Partial<Record<keyof Failure, unknown>>;
  if (typeof code !== "string" || typeof message !== "string") return undefined;
  if (!Object.hasOwn(ERROR_CODES, code) && !Object.hasOwn(SERVER_CODES, code)) return undefined;
  return { code: code as FailureCode, message: oneLine(message) };
}

/** Text from elsewhere without line ends and control characters, at most 1000 characters long. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ").slice(0, MAXIMUM_MESSAGE);
}

/** The SERVER_REFUSED error, with what the server said. */
export class ServerRefusedError extends CrcnnError {
  readonly status: number;
  /** Undefined where the answer did not come from a crcnn server. */
  readonly failure: Failure | undefined;

  constructor(message: string, status: number, failure: Failure | undefined) {
    super("SERVER_REFUSED", message);
    this.name = "ServerRefusedError";
    this.status = status;
    this.failure = failure;
  }
}
