/** The built command line as a child process. */

import { spawn } from "node:child_process";
import { join } from "node:path";

export const PROGRAM: string = join(import.meta.dirname, "..", "..", "dist", "cli", "main.js");
const fixtures = join(import.meta.dirname, "..", "fixtures");

/** The path of a fixture. */
export function fixture(path: string): string {
  return join(fixtures, path);
}

/** A little-endian float32 array as numpy writes it. */
export function npy(shape: readonly number[], values: readonly number[]): Buffer {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`.padEnd(117).concat("\n");
  const start = Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(header.length, 0)}`, "latin1");
  return Buffer.concat([start, Buffer.from(header, "latin1"), Buffer.from(Float32Array.from(values).buffer)]);
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param output A file descriptor to take the standard output, which is then not collected. */
export function crcnn(
  args: readonly string[],
  env: Record<string, string> = {},
  output: number | "pipe" = "pipe",
): Promise<Outcome> {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ["ignore", output, "pipe"],
    env: { ...process.env, CRCNN_DEBUG: "", ...env },
  });
  const text = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream]?.setEncoding("utf8").on("data", (data: string) => {
      text[stream] += data;
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...text }));
  });
}
