/** Bundles of the installed package, as a user's tools make them. */

import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "vite";

/** Keeps WebAssembly modules beside the bundle, as the tools of workerd do. */
function wasmModules(outDir: string): Plugin {
  return {
    name: "wasm-modules",
    enforce: "pre",
    async resolveId(source, importer) {
      if (!source.endsWith(".wasm?module")) return null;
      const found = await this.resolve(source.replace("?module", ""), importer, { skipSelf: true });
      if (!found) throw new Error(`${source} was not found from ${importer}`);
      copyFileSync(found.id, join(outDir, "kernels.wasm"));
      return { id: "./kernels.wasm", external: true };
    },
  };
}

const workerdConfig = (modules: readonly string[]): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .classifier)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const classifier :Workerd.Worker = (
  modules = [${modules.join(", ")}],
  compatibilityDate = "2026-01-01",
);
`;

/** For workerd, without Node's modules, under the import conditions of a tool. Returns the path of its configuration. */
export async function buildEdge(project: string, conditions: readonly string[]): Promise<string> {
  const outDir = join(project, `edge-${conditions.join("-")}`);
  mkdirSync(outDir);
  await build({
    root: project,
    configFile: false,
    logLevel: "warn",
    plugins: [wasmModules(outDir)],
    ssr: { target: "webworker", noExternal: true, resolve: { conditions: [...conditions, "import", "default"] } },
    build: { ssr: "edge.js", outDir, emptyOutDir: false, target: "es2022" },
  });
  const config = join(outDir, "config.capnp");
  const modules = ['(name = "edge.js", esModule = embed "edge.js")'];
  if (existsSync(join(outDir, "kernels.wasm"))) modules.push('(name = "kernels.wasm", wasm = embed "kernels.wasm")');
  writeFileSync(config, workerdConfig(modules));
  return config;
}

/** For browsers: an application whose only script is the page's. Returns the folder to serve. */
export async function buildPage(project: string): Promise<string> {
  const outDir = join(project, "page");
  if (existsSync(outDir)) return outDir;
  writeFileSync(
    join(project, "index.html"),
    '<!doctype html><meta charset="utf-8"><title>crcnn</title><script type="module" src="./page.js"></script>\n',
  );
  await build({
    root: project,
    configFile: false,
    logLevel: "warn",
    base: "./",
    worker: { format: "es" },
    build: { outDir, target: "es2022", modulePreload: { polyfill: false } },
  });
  for (const name of ["input.json", "model.pt"]) copyFileSync(join(project, name), join(outDir, name));
  return outDir;
}
