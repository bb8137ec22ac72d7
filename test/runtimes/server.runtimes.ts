import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { expectAgreement } from "./agreement.ts";
import { buildEdge } from "./bundles.ts";
import type { Options, Report } from "./programs/lenet1.ts";

const project = inject("project");
const modules = join(import.meta.dirname, "node_modules");

/** Programs by name: the path, and what stands before the program's name on the command line. */
const RUNTIMES: Record<string, readonly [string, ...string[]]> = {
  [`Node ${process.versions.node}`]: [process.execPath],
  "Node 22": [join(modules, "node22", "bin", "node")],
  "Node 24": [join(modules, "node24", "bin", "node")],
  "Node 26": [join(modules, "node26", "bin", "node")],
  // It may read the project and nothing else, and asks nobody for more.
  Deno: [join(modules, "@deno", "linux-x64-glibc", "deno"), "run", "--no-prompt", "--allow-read=.", "--no-remote"],
  Bun: [join(modules, "@oven", "bun-linux-x64", "bin", "bun"), "run"],
};
const WORKERD = join(modules, "@cloudflare", "workerd-linux-64", "bin", "workerd");

function requireRuntime(name: string, path: string): void {
  if (!existsSync(path)) throw new Error(`${name} is missing at ${path}: run npm ci in test/runtimes (Linux on x64)`);
}

/** Runs a program to its end, which it must reach by itself. */
function run(name: string, program: string, options: Options = {}): { stdout: string; stderr: string } {
  const [path, ...prefix] = RUNTIMES[name]!;
  requireRuntime(name, path);
  const { status, signal, stdout, stderr, error } = spawnSync(path, [...prefix, program, JSON.stringify(options)], {
    cwd: project,
    encoding: "utf8",
    timeout: 120_000,
    env: { PATH: process.env.PATH, HOME: project, NO_COLOR: "1" },
  });
  expect({ status, signal, error }, stderr).toEqual({ status: 0, signal: null, error: undefined });
  return { stdout, stderr };
}

describe.each(Object.keys(RUNTIMES))("%s", (name) => {
  test("classifies with two threads what TypeScript kernels classify, ciphertext for ciphertext", () => {
    const { stdout, stderr } = run(name, "main.js", { threads: 2 });
    expect(stderr).toBe("");
    const report: Report = JSON.parse(stdout);
    expect(report).toMatchObject({ backend: "wasm", threads: 2 });
    expect(report.sharedTasks).toBeGreaterThan(0);
    expectAgreement(report);
  });

  test("ends although its threads were never stopped", () => {
    expect(run(name, "abandon.js")).toEqual({ stdout: "2\n", stderr: "" });
  });

  test("reports a thread that dies", () => {
    expect(run(name, "die-alone.js").stdout).toBe("RuntimeError, 1, WORKER_LOST\n");
  });
});

/** Starts workerd with the bundle and sends it the input. */
async function classifyOnWorkerd(conditions: readonly string[]): Promise<Report> {
  requireRuntime("workerd", WORKERD);
  const config = await buildEdge(project, conditions);
  const worker = spawn(WORKERD, ["serve", config, "--control-fd=3"], {
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  try {
    const port = await new Promise<number>((resolve, reject) => {
      worker.once("exit", (code) => reject(new Error(`workerd ended with code ${code}`)));
      let text = "";
      worker.stdio[3]!.on("data", (chunk: Buffer) => {
        text += chunk;
        const [, found] = /"event":"listen".*"port":(\d+)/.exec(text) ?? [];
        if (found) resolve(Number(found));
      });
    });
    const body = readFileSync(join(project, "input.json"));
    const response = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body });
    if (!response.ok) throw new Error(`workerd answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as Report;
  } finally {
    const ended = worker.exitCode === null && once(worker, "exit");
    worker.kill();
    await ended;
  }
}

describe("workerd", () => {
  test("classifies without threads, by kernels that were compiled beforehand", async () => {
    const report = await classifyOnWorkerd(["workerd", "worker"]);
    expect(report).toMatchObject({ backend: "wasm", threads: 1, sharedTasks: 0 });
    expectAgreement(report);
  });

  test("classifies by the TypeScript kernels where a tool does not know it, since it may not compile", async () => {
    const report = await classifyOnWorkerd(["worker"]);
    expect(report).toMatchObject({ backend: "ts", threads: 1, sharedTasks: 0 });
    expectAgreement(report);
  });
});
