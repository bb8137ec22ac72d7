import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

const MODULE = pathToFileURL(join(import.meta.dirname, "..", "..", "dist", "cli", "progress.js")).href;

/** The exit code of a process that thinks it has a terminal of 40 columns, and is sent Ctrl-C when it shows anything. */
async function exitCode(body: string): Promise<number> {
  const program =
    `Object.assign(process.stderr, { isTTY: true, columns: 40 }); const { createProgress } = await import(${JSON.stringify(MODULE)});` +
    `const progress = createProgress(); ${body}`;
  const { CI: _, NO_COLOR: __, ...env } = process.env;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["pipe", "ignore", "pipe"],
    env: { ...env, TERM: "xterm" },
  });
  child.stdin!.on("error", () => {});
  child.stderr!.on("data", () => child.stdin!.write("\u0003"));
  const [code] = await once(child, "exit");
  return code as number;
}

test("Ctrl-C while a step runs ends with 130; after it, how the program ends decides", async () => {
  expect(await exitCode(`progress.step("Working"); setTimeout(() => process.exit(7), 20_000);`)).toBe(130);
  expect(await exitCode(`progress.step("Working").done("done"); process.exit(0);`)).toBe(0);
  expect(await exitCode(`progress.step("Working"); progress.abandon(); process.exit(0);`)).toBe(0);
});
