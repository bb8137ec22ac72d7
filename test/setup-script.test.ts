import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const setup = join(import.meta.dirname, "..", "tools", "setup.mjs");

test("an older Node is refused in one line", () => {
  const older = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.20.4" } })';
  const script = `data:text/javascript,${encodeURIComponent(older)}`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", script, setup], { encoding: "utf8" });
  expect(status).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toBe("crcnn needs Node 20.19 or newer; this is Node 18.20.4. Install a newer one and try again.\n");
});

test("on a checkout that is ready it says nothing, and prints nothing on standard output", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [setup], { encoding: "utf8" });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
});
