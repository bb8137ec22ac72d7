/**
 * The one error class of the project and the table of its stable codes.
 *
 * Misuse of an argument throws the language's own `TypeError` or `RangeError`; a `CrcnnError` is for what a program may want
 * to tell apart: its `code` never changes its meaning, its message names the value, the limit and the remedy.
 */

/** Every code with the situation that it stands for. */
export const ERROR_CODES = {
  INSECURE_PARAMETERS: "the modulus is larger than the security table allows for the ring degree",
  OUT_OF_PRIMES: "there are not enough NTT-friendly primes of the wanted size",
  MEMORY_LIMIT: "the polynomial heap would grow past its limit",
  WORKER_FAILED: "a thread of the engine could not be started",
  WORKER_LOST: "a thread died in the middle of its work, and what it held is lost",
  SCALE_MISMATCH: "two operands have different scales",
  DOMAIN_MISMATCH: "an operation needs polynomials in another form",
  LEVEL_MISMATCH: "two operands have different levels",
  LEVEL_EXHAUSTED: "no prime is left to rescale by",
  SCALE_OVERFLOW: "a scaled value does not fit the modulus",
  COMPONENT_COUNT: "the operation needs a ciphertext with another number of components",
  NO_SPECIAL_PRIME: "the parameters have no special prime, so there is no relinearization and no rotation",
  MISSING_KEY: "an evaluation key that the operation needs was not supplied",
  FOREIGN_OBJECT: "an object belongs to other parameters or another key",
  SHAPE_MISMATCH: "a tensor has another shape than the operation takes",
  UNSUPPORTED_LAYER: "a layer of the model cannot run encrypted",
  INVALID_ARCHITECTURE: "a list of layers for weights that come without layers is not what it should be",
  STATE_MISMATCH: "weights do not fit the architecture that was given for them",
  UNSUPPORTED_MODEL: "the model as a whole cannot be run",
  NO_PARAMETERS: "no parameters reach the wanted precision within the security table",
  VALUE_RANGE: "a value does not fit what it is encoded into",
  PRECISION_LOST: "the decrypted values are not trustworthy",
  REFRESH_NEEDED: "the network holds a re-encryption step and nobody was named who can do it",
  INVALID_FILE: "a file is not what it should be, or damaged",
  UNSAFE_FILE: "a file asks for code to be run",
  UNSUPPORTED_FILE: "a file is of a known kind that is not read here",
  LIMIT_EXCEEDED: "input is larger than the reader's limit",
  INVALID_MESSAGE: "bytes from the wire are malformed or do not fit the parameters",
  UNKNOWN_MODEL: "the server has no model of this name",
  UNKNOWN_SESSION: "the server does not know this session, or it has expired",
  SERVER_REFUSED: "the server answered with an error",
  SERVER_UNREACHABLE: "no answer came from the server",
  ABORTED: "the caller cancelled the work",
} as const;

/** A stable error code, a key of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** An error with a stable code. Its message is one line: what is wrong, the value, the limit, and what would be right. */
export class CrcnnError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CrcnnError";
    this.code = code;
  }
}

/** What long work asks while it runs: an AbortSignal, or something else that can be asked from within work that never yields. */
export interface Cancellation {
  readonly aborted: boolean;
  readonly reason?: unknown;
}

/** Throws the reason of an aborted signal as a `CrcnnError`; does nothing otherwise. */
export function throwIfAborted(signal: Cancellation | undefined): void {
  if (signal?.aborted)
    throw new CrcnnError("ABORTED", "the work was cancelled by its AbortSignal", { cause: signal.reason });
}
