/** Firefox for its engine, SpiderMonkey. Nothing drives it: it is started with an address, and the page posts its report. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, test } from "vitest";
import { findBrowser } from "../../tools/browsers.mjs";
import { expectAgreement } from "./agreement.ts";
import { buildPage } from "./bundles.ts";
import { ISOLATED, STRICT, servePage } from "./page-server.ts";
import type { Report } from "./programs/lenet1.ts";

/** A profile that asks nobody for anything: names are not resolved, and the loopback address needs none. */
const PREFERENCES: Record<string, boolean | string | number> = {
  "app.normandy.enabled": false,
  "app.update.enabled": false,
  "browser.aboutwelcome.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "network.dns.disabled": true,
  "toolkit.telemetry.reportingpolicy.firstRun": false,
};
const PATIENCE = 120_000;

async function classify(where: "inWorker" | "onMainThread", headers: Record<string, string>): Promise<Report> {
  const project = inject("project");
  const path = findBrowser("Firefox");
  const server = await servePage(await buildPage(project), { ...headers, "content-security-policy": STRICT });
  const profile = join(project, "firefox");
  mkdirSync(profile);
  const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`);
  writeFileSync(join(profile, "user.js"), lines.join(""));
  const address = `${server.address}#${where}=${encodeURIComponent(JSON.stringify({ threads: 2 }))}`;
  const args = ["--headless", "--no-remote", "--new-instance", "--profile", profile, address];
  // A group of its own, since what is started here may be a script that starts the browser.
  const firefox = spawn(path, args, { stdio: "ignore", detached: true, env: { ...process.env, HOME: profile } });
  const exit = once(firefox, "exit");
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const failed = new Promise<never>((_, reject) => {
      void exit.then(([code]) => reject(new Error(`Firefox ended with code ${code} before it answered`)));
      timer = setTimeout(() => reject(new Error(`Firefox did not answer in ${PATIENCE / 1000} s`)), PATIENCE);
    });
    return JSON.parse(await Promise.race([server.posted, failed]));
  } finally {
    clearTimeout(timer);
    if (firefox.pid !== undefined && firefox.exitCode === null) process.kill(-firefox.pid);
    await exit;
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  }
}

describe("Firefox, under a policy without unsafe-eval", () => {
  test.each(["inWorker", "onMainThread"] as const)(
    "two threads classify, called %s of an isolated page",
    async (where) => {
      const report = await classify(where, ISOLATED);
      expect(report).toMatchObject({ backend: "wasm", threads: 2 });
      expect(report.sharedTasks).toBeGreaterThan(0);
      expectAgreement(report);
    },
  );

  test("one thread classifies where there is no shared memory", async () => {
    const report = await classify("onMainThread", {});
    expect(report).toMatchObject({ backend: "wasm", threads: 1, sharedTasks: 0 });
    expectAgreement(report);
  });
});
