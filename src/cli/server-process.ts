/** A server in a process of its own, for the demo: what it does not have in memory it cannot read. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { CrcnnError } from "../errors/index.ts";

export interface ServerProcess {
  readonly pid: number;
  readonly url: string;
  /** Ends the process and waits until it has ended. */
  end(): Promise<void>;
}

/** How long the process may take to end by itself, in milliseconds. */
const GRACE = 3000;

/**
 * Starts `crcnn serve` on a port of the system's choice.
 *
 * @param options Further ones of `crcnn serve`.
 *
 * The channel between the two processes carries nothing; it closes when this process ends for whatever reason, and the server then ends
 * too.
 */
export async function startServerProcess(models: string, options: readonly string[]): Promise<ServerProcess> {
  const program = process.argv[1] as string;
  const child = spawn(process.execPath, [program, "serve", "--models", models, "--port", "0", ...options], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const exited = once(child, "exit");
  const [line] = (await Promise.race([once(createInterface(child.stdout!), "line"), exited])) as [unknown];
  const url = typeof line === "string" ? /https?:\S+/.exec(line)?.[0] : undefined;
  if (url === undefined || child.pid === undefined) {
    child.kill();
    throw new CrcnnError("SERVER_UNREACHABLE", "the server process of the demo did not start; crcnn serve says why");
  }
  return {
    pid: child.pid,
    url,
    async end() {
      const patience = setTimeout(() => child.kill("SIGKILL"), GRACE);
      child.kill("SIGTERM");
      await exited;
      clearTimeout(patience);
    },
  };
}
