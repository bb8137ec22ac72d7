/** `npm run bench:start`: how long a fresh process takes from importing the package to its first encryption at N = 8192. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { compile, loadTorch } from "crcnn/builder";
import type { RlweParameters } from "crcnn/rlwe";

const PROCESSES = 21;
const IMAGE = [1, 28, 28];

/** What is imported: the core with the secret key's tier, or everything. */
const ENTRIES = ["crcnn/owner", "crcnn"];

/** What the fresh process does, milliseconds of each step on standard output. */
const PROGRAM = `
const [entry, parameters] = process.argv.slice(1);
const times = [performance.now()];
const { createOwner } = await import(entry);
times.push(performance.now());
const owner = await createOwner({ scheme: "ckks", parameters: JSON.parse(parameters) });
times.push(performance.now());
owner.encryptTensor({ shape: [784], data: new Float64Array(784).fill(0.5) });
times.push(performance.now());
console.log(JSON.stringify(times));
`;

/** Milliseconds at which a process began to import, had imported, was ready to encrypt, and had encrypted. */
function startOnce(entry: string, parameters: RlweParameters): number[] {
  const args = ["--input-type=module", "--eval", PROGRAM, entry, JSON.stringify(parameters)];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: new URL("..", import.meta.url), encoding: "utf8" }));
}

const model = loadTorch(
  readFileSync(new URL("../../assets/models/lenet1-square.pt", import.meta.url)),
  "lenet1-square.pt",
);
const { parameters } = compile(model, { inputShape: IMAGE }).manifest;

console.log(`N = ${parameters.ringDegree}, ${PROCESSES} fresh processes each, milliseconds, the median and the least`);
for (const entry of ENTRIES) {
  const runs = Array.from({ length: PROCESSES }, () => startOnce(entry, parameters));
  const print = (step: string, milliseconds: (times: number[]) => number): void => {
    const sorted = runs.map(milliseconds).sort((left, right) => left - right);
    const figures = [sorted[PROCESSES >> 1]!, sorted[0]!].map((value) => value.toFixed(0).padStart(5));
    console.log(`${entry.padEnd(12)} ${step.padEnd(38)} ${figures.join(" ")}`);
  };
  print("import", ([begun, imported]) => imported! - begun!);
  print("context, secret key, encoder", ([, imported, ready]) => ready! - imported!);
  print("from the import to being ready", ([begun, , ready]) => ready! - begun!);
  print("from Node's own start to being ready", ([, , ready]) => ready!);
  print("first encryption", ([, , ready, encrypted]) => encrypted! - ready!);
}
