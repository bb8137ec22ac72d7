/** What goes wrong, as one line and an exit code. */

import { CrcnnError } from "../errors/index.ts";
import { oneLine } from "../protocol/index.ts";

/** The command was called wrongly; the message says what is wrong, the hint to --help is added. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

export const EXIT = { failure: 1, usage: 2 } as const;

/** What the operating system's codes mean to people. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EISDIR: "it is a folder, not a file",
  ENOTDIR: "it is not a folder",
  EACCES: "permission is denied",
  EADDRINUSE: "the address is in use already; choose another port with --port",
  EADDRNOTAVAIL: "this machine has no such address; choose another with --host",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "its name could not be looked up; is there a network?",
  ENOSPC: "no space is left for the output",
};

/** The line to print for an error, without the program's name, and the exit code. */
export function describeFailure(error: unknown, command: string): { readonly line: string; readonly exitCode: number } {
  if (error instanceof UsageError) {
    return { line: `${oneLine(error.message)} (see: ${command} --help)`, exitCode: EXIT.usage };
  }
  if (error instanceof CrcnnError) return { line: oneLine(error.message), exitCode: EXIT.failure };
  const { code, path, hostname, address, port, message } = (error ?? {}) as NodeJS.ErrnoException & {
    hostname?: string;
    address?: string;
    port?: number;
  };
  const meaning = SYSTEM_ERRORS[code ?? ""];
  if (meaning) {
    const subject = path ?? hostname ?? (address === undefined ? code : `${address}:${port}`);
    return { line: oneLine(`${subject || '""'}: ${meaning}`), exitCode: EXIT.failure };
  }
  return {
    line: `this should not have happened: ${oneLine(message ?? String(error))} (with CRCNN_DEBUG=1 it says where)`,
    exitCode: EXIT.failure,
  };
}
