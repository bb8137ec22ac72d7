import { type Browser, chromium } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { findBrowser } from "../../tools/browsers.mjs";
import { expectAgreement } from "./agreement.ts";
import { buildPage } from "./bundles.ts";
import { ISOLATED, type PageServer, STRICT, servePage } from "./page-server.ts";
import type { Options, Report } from "./programs/lenet1.ts";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
let folder: string;
let browser: Browser | undefined;
const servers: PageServer[] = [];

beforeAll(async () => {
  const executablePath = findBrowser("Chromium");
  folder = await buildPage(inject("project"));
  browser = await chromium.launch({ executablePath, args: FLAGS });
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => browser?.close());

async function serve(headers: Record<string, string>): Promise<string> {
  const server = await servePage(folder, headers);
  servers.push(server);
  return server.address;
}

interface Run {
  readonly report: Report;
  readonly isolated: boolean;
  /** What the browser complained about meanwhile, refusals by the policy among it. */
  readonly complaints: readonly string[];
}

/** Loads the page and has it classify: "inWorker" or "onMainThread". */
async function classify(
  where: "inWorker" | "onMainThread",
  options: Options,
  headers: Record<string, string>,
): Promise<Run> {
  const address = await serve(headers);
  const page = await browser!.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  try {
    await page.goto(address);
    const isolated = await page.evaluate("crossOriginIsolated");
    const report = await page.evaluate(`${where}(${JSON.stringify(options)})`);
    return { report: report as Report, isolated: isolated as boolean, complaints };
  } finally {
    await page.close();
  }
}

describe("Chromium, under a policy without unsafe-eval", () => {
  const headers = { ...ISOLATED, "content-security-policy": STRICT };

  test.each(["inWorker", "onMainThread"] as const)(
    "two threads classify, called %s of an isolated page",
    async (where) => {
      const { report, isolated, complaints } = await classify(where, { threads: 2 }, headers);
      expect({ isolated, complaints }).toEqual({ isolated: true, complaints: [] });
      expect(report).toMatchObject({ backend: "wasm", threads: 2 });
      expect(report.sharedTasks).toBeGreaterThan(0);
      expectAgreement(report);
    },
  );

  test.each(["inWorker", "onMainThread"] as const)(
    "one thread classifies where there is no shared memory, %s",
    async (where) => {
      const { report, isolated, complaints } = await classify(
        where,
        { threads: 2 },
        { "content-security-policy": STRICT },
      );
      expect({ isolated, complaints }).toEqual({ isolated: false, complaints: [] });
      expect(report).toMatchObject({ backend: "wasm", threads: 1, sharedTasks: 0 });
      expectAgreement(report);
    },
  );

  test("the TypeScript kernels classify where WebAssembly may not be compiled", async () => {
    const policy = STRICT.replace(" 'wasm-unsafe-eval'", "");
    const { report } = await classify("inWorker", { threads: 2 }, { ...ISOLATED, "content-security-policy": policy });
    expect(report).toMatchObject({ backend: "ts", threads: 1 });
    expectAgreement(report);
  });

  test("a thread that dies is reported", async () => {
    const page = await browser!.newPage();
    await page.goto(await serve(headers));
    expect(await page.evaluate("die()")).toBe("RuntimeError, 1, WORKER_LOST");
    await page.close();
  });

  test("a thread that may not be started is reported", async () => {
    const policy = STRICT.replace("worker-src 'self'", "worker-src 'none'");
    const failed = classify("onMainThread", { threads: 2 }, { ...ISOLATED, "content-security-policy": policy });
    await expect(failed).rejects.toThrow(/a thread of the engine did not start \(.+\); use one thread/);
  });
});
