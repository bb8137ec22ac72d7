/** The app behind a socket. */

import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import type { PlanCacheOptions } from "../../builder/node/index.ts";
import type { CrcnnError } from "../../errors/index.ts";
import { createApp, type ServerLimits } from "../index.ts";
import { createComputePool } from "./compute-pool.ts";
import { loadModels } from "./load-models.ts";

export interface ServeOptions {
  /** Directory of the `.pt` files to serve. */
  readonly models: string;
  /** By other names under which requests for layers may ask for models: theirs. */
  readonly aliases?: ReadonlyMap<string, string> | undefined;
  /** 0 lets the system choose one. */
  readonly port: number;
  /** The loopback interface by default. */
  readonly host?: string | undefined;
  /** Threads that compute, each on one request at a time: one for each processor by default, at most 8. */
  readonly workers?: number | undefined;
  /** Threads that take part in one evaluation; 1 by default. */
  readonly threads?: number | undefined;
  readonly limits?: Partial<ServerLimits> | undefined;
  /** Keeps compiled plans in a folder, also for later processes; nowhere by default. */
  readonly planCache?: PlanCacheOptions | undefined;
  readonly onError?: ((error: unknown) => void) | undefined;
}

export interface RunningServer {
  /** Where it listens. */
  readonly url: string;
  /** Names of the models. */
  readonly models: readonly string[];
  readonly skipped: readonly CrcnnError[];
  /** Ends when the server has stopped listening, by {@link close} or by SIGTERM or SIGINT. */
  readonly closed: Promise<void>;
  /** Takes no new connection, gives requests that run two seconds to finish, ends all sessions and threads. */
  close(): Promise<void>;
}

/** How long requests that have begun may take to finish when the server ends, in milliseconds. */
const GRACE = 2000;

const SIGNALS = ["SIGTERM", "SIGINT"] as const;

/**
 * Serves the models of a directory until it is closed or the process is told to end.
 *
 * @throws CrcnnError INVALID_FILE when the directory holds no model, UNKNOWN_MODEL for an alias of none, RangeError for numbers of threads outside 1 … 64 or a limit that is no positive
 * integer, and what the system says when the port cannot be taken.
 */
export async function serve({
  models,
  aliases,
  port,
  host = "127.0.0.1",
  workers,
  threads,
  limits,
  planCache,
  onError,
}: ServeOptions): Promise<RunningServer> {
  const loaded = await loadModels(models, aliases);
  const compute = createComputePool({ models: loaded.models, workers, threads, limits, planCache, onError });
  const app = createApp({ compute, limits, onError });
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;

  const closed = new Promise<void>((resolve) => {
    server.once("close", () => {
      for (const signal of SIGNALS) process.off(signal, close);
      void app.close().then(resolve);
    });
  });
  function close(): Promise<void> {
    server.close();
    // Idle keep-alive connections would hold the server open for seconds.
    if ("closeIdleConnections" in server) server.closeIdleConnections();
    // A client that sends slowly, or nothing, must not keep the server from ending.
    const patience = setTimeout(() => "closeAllConnections" in server && server.closeAllConnections(), GRACE);
    server.once("close", () => clearTimeout(patience));
    return closed;
  }
  for (const signal of SIGNALS) process.once(signal, close);

  return {
    url: `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`,
    models: [...loaded.models.keys()],
    skipped: loaded.skipped,
    closed,
    close,
  };
}
