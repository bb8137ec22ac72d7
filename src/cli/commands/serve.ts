/** crcnn serve: models for clients that encrypt. */

import { CrcnnError } from "../../errors/index.ts";
import { MAX_THREADS } from "../../math/index.ts";
import { serve as startServer } from "../../server/node/index.ts";
import { parseInteger } from "../arguments.ts";
import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../failure.ts";
import { cacheOptions, planCacheOptions } from "../plan-cache.ts";

export const serve: Command = defineCommand({
  name: "serve",
  description: "Serve models to clients that send encrypted images; ends at SIGTERM or SIGINT",
  args: {
    models: {
      type: "string",
      required: true,
      valueHint: "DIR",
      description:
        "Folder of the models to serve (.pt, .pth, .safetensors, .onnx), each under its name; NAME.architecture.json lists the layers of weights that come without",
    },
    alias: {
      type: "string",
      valueHint: "NAME=MODEL",
      description: "Names that crcnn client may use for models, as MNIST=lenet1; several with commas between them",
    },
    port: { type: "string", default: "8080", valueHint: "P", description: "TCP port; 0 lets the system choose" },
    host: {
      type: "string",
      default: "127.0.0.1",
      valueHint: "ADDRESS",
      description: "Address to listen on; put TLS in front of others",
    },
    workers: {
      type: "string",
      valueHint: "N",
      description: "Requests that are computed at a time, each by a thread of its own (default: processors, at most 8)",
    },
    threads: { type: "string", default: "1", valueHint: "N", description: "Threads that take part in one evaluation" },
    ...cacheOptions,
  },
  async run(args) {
    const port = parseInteger("port", args.port, 0, 65_535);
    const workers = args.workers === undefined ? undefined : parseInteger("workers", args.workers, 1, MAX_THREADS);
    const threads = parseInteger("threads", args.threads, 1, MAX_THREADS);
    const planCache = await planCacheOptions(args.cache);
    const aliases = parseAliases(args.alias ?? "");
    const { models, host } = args;
    const server = await startServer({ models, aliases, port, host, workers, threads, planCache, onError: report });
    for (const error of server.skipped) report(error);
    process.stdout.write(`crcnn: serving ${server.models.join(", ")} at ${server.url}\n`);
    // Started by another process that keeps a channel open, it ends with that process.
    process.once("disconnect", server.close);
    await server.closed;
    if (process.connected) process.disconnect();
  },
});

function parseAliases(text: string): Map<string, string> {
  const aliases = new Map<string, string>();
  for (const part of text.split(",").filter((each) => each !== "")) {
    const [alias, target, ...others] = part.split("=").map((name) => name.trim());
    if (!alias || !target || others.length > 0 || aliases.has(alias)) {
      throw new UsageError(`--alias takes NAME=MODEL, each name once, as MNIST=lenet1, got ${JSON.stringify(part)}`);
    }
    aliases.set(alias, target);
  }
  return aliases;
}

function report(error: unknown): void {
  const told = error instanceof CrcnnError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`crcnn: ${told}\n`);
}
