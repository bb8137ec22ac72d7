/** Serves a built page on the loopback interface, with the headers that a test is about. */

import { createReadStream, existsSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { text } from "node:stream/consumers";

const TYPES: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
};
/** What makes shared memory available to a page. */
export const ISOLATED: Record<string, string> = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};
/** No `unsafe-eval`: WebAssembly alone may be compiled. */
export const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'";

export interface PageServer {
  /** Ends in a slash. */
  readonly address: string;
  /** The body of the first POST. */
  readonly posted: Promise<string>;
  close(): void;
}

export async function servePage(folder: string, headers: Record<string, string>): Promise<PageServer> {
  let resolvePosted: (body: Promise<string>) => void = () => {};
  const posted = new Promise<string>((resolve) => {
    resolvePosted = resolve;
  });
  const server = createServer((request: IncomingMessage, response) => {
    if (request.method === "POST") {
      resolvePosted(text(request));
      return void response.writeHead(204).end();
    }
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = join(folder, normalize(pathname === "/" ? "/index.html" : pathname));
    if (!existsSync(path)) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "application/octet-stream", ...headers });
    createReadStream(path).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}/`,
    posted,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
