import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test, vi } from "vitest";
import { crcnn, fixture, PROGRAM } from "./process.ts";

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("the demo reads encrypted digits on a server process of its own, and ends it", async () => {
  const { stdout, stderr, code } = await crcnn(["demo", "--first", "2"], { NO_COLOR: "1" });
  expect(code, stderr).toBe(0);
  const [, server] = stdout.match(/server +process (\d+) at http:\/\/127\.0\.0\.1:\d+ .*no secret key/) ?? [];
  const [, client] = stdout.match(/client +this process, (\d+)/) ?? [];
  expect(Number(server)).toBeGreaterThan(0);
  expect(server).not.toBe(client);
  expect(isAlive(Number(server))).toBe(false);
  expect(stdout).toMatch(/N = 8192, \d \+ \d primes of .* log2\(QP\) = \d+\.\d of at most 214 for 128-bit security/);
  expect(stdout).toMatch(/evaluation keys, [\d.]+ MB sent/);
  expect(stdout.match(/@/g)?.length).toBeGreaterThan(20);
  for (const label of [7, 2])
    expect(stdout).toMatch(new RegExp(`answer +${label} \\(label ${label}\\); largest error`));
  expect(stdout.match(/^ {2}encrypted( +-?\d+\.\d{4}){10}\n {2}plain( +-?\d+\.\d{4}){10}$/gm)).toHaveLength(2);
  const [, error] = stdout.match(/2 of 2 digits .* largest error (\S+) of the/) ?? [];
  expect(Number(error)).toBeLessThan(3e-4);
  for (const step of ["server process", "plan", "keys", "Sending", "Encrypting"]) expect(stderr).toContain(step);
  expect(stdout).not.toContain("\u001b");
  console.info(stdout.match(/times .*|verdict.*/g)?.join("\n"));
});

test("the server process does not outlive a demo that is killed", async () => {
  const demo = spawn(process.execPath, [PROGRAM, "demo", "--first", "1"], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = (await once(createInterface(demo.stdout), "line")) as [string];
  const server = Number(/process (\d+)/.exec(line)?.[1]);
  expect(isAlive(server)).toBe(true);
  demo.kill("SIGKILL");
  await once(demo, "exit");
  // It may be in the middle of a compilation.
  await vi.waitFor(() => expect(isAlive(server)).toBe(false), { timeout: 30_000, interval: 100 });
});

test("what the demo brings along is what the fixtures hold, and says where it comes from", () => {
  const assets = join(import.meta.dirname, "..", "..", "assets");
  const read = (path: string): Buffer => readFileSync(join(assets, path));
  expect(read("models/lenet1-square.pt").equals(readFileSync(fixture("models/lenet1-square/lenet1-square.pt")))).toBe(
    true,
  );
  const labels = JSON.parse(read("digits/labels.json").toString()) as { file: string; label: number; index: number }[];
  const known = JSON.parse(readFileSync(fixture("data/labels.json"), "utf8")) as typeof labels;
  expect(labels.map(({ label }) => label).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (const entry of labels) {
    expect(known).toContainEqual(entry);
    expect(read(`digits/${entry.file}`).equals(readFileSync(fixture(`data/${entry.file}`)))).toBe(true);
  }
  expect(readdirSync(join(assets, "digits")).filter((name) => name.endsWith(".png"))).toHaveLength(labels.length);
  expect(read("README.md").toString()).toMatch(/CC BY-SA 3\.0/);
});
