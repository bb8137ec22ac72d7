/** `npm run bench [-- --quick] [--grep pattern]`: measures, prints tables, writes `results.json` and `sizes.json`. */

import { parseArgs } from "node:util";
import { BFV_STEPS, bfvCases } from "./bfv/cases.ts";
import { type BfvChain, createBfvParty } from "./bfv/party.ts";
import { createBfvRival } from "./bfv/rival.ts";
import { clientCases, clientSizes } from "./ckks/client.ts";
import { evaluationCases, HOISTED_STEPS } from "./ckks/evaluation.ts";
import { type Chain, createParty } from "./ckks/party.ts";
import { kernelCases } from "./math/kernels.ts";
import { type Case, type Effort, FULL, measure, QUICK, type Row } from "./measure.ts";
import { type BatchBench, batchBench } from "./networks/batch.ts";
import { integerBench } from "./networks/integers.ts";
import { NETWORKS, networkBench, YARDSTICK } from "./networks/networks.ts";
import { printRows, printSizes, RESULTS, SIZES, type SizeRow, writeRows } from "./report.ts";
import { createRival } from "./rival.ts";

/** The longest chain that 128-bit security allows with primes of 30 bits. */
const LONGEST: Chain = { ringDegree: 8192, dataBits: [30, 30, 30, 30, 30, 30], specialBits: [30] };
/** Two primes a digit: a chain that the planner would choose for LeNet-1. */
const TWO_A_DIGIT: Chain = { ringDegree: 8192, dataBits: [28, 28, 29, 25, 23, 22], specialBits: [30, 29] };
/** What the rival would rather have for as long a modulus: fewer and larger primes, as its 64-bit words take them. */
const WIDE_PRIMES = [43, 43, 43, 43, 43];
/**
 * Chains near the longest that 128-bit security allows, each beside the rival's own default for its degree, fewer and larger primes; and one with
 * two primes a digit.
 */
const BFV_CHAINS: readonly (BfvChain & { readonly rivalChain: readonly number[] })[] = [
  { ringDegree: 4096, dataBits: [27, 26, 26], specialBits: [27], plainBits: 17, rivalChain: [36, 36, 37] },
  {
    ringDegree: 8192,
    dataBits: [29, 29, 29, 29, 29, 29],
    specialBits: [30],
    plainBits: 20,
    rivalChain: [43, 43, 44, 44, 44],
  },
  {
    ringDegree: 16384,
    dataBits: new Array(13).fill(30),
    specialBits: [30],
    plainBits: 20,
    rivalChain: [48, 48, 48, 49, 49, 49, 49, 49, 49],
  },
  {
    ringDegree: 16384,
    dataBits: new Array(12).fill(30),
    specialBits: [30, 30],
    plainBits: 20,
    rivalChain: [45, 45, 45, 45, 45, 45, 45, 45, 48],
  },
];

const { values: options } = parseArgs({
  options: { quick: { type: "boolean", default: false }, grep: { type: "string", default: "" } },
});
const effort: Effort = options.quick ? QUICK : FULL;
const wanted = new RegExp(options.grep);
const isWanted = ({ name, params }: { name: string; params: string }): boolean => wanted.test(`${name} ${params}`);

const results: Row[] = [];
const sizes: SizeRow[] = [];

function measureAll(title: string, cases: readonly Case[], how: Effort = effort): Row[] {
  const rows = cases.filter(isWanted).map((one) => measure(one, how));
  if (rows.length === 0) return rows;
  console.log(`\n${title}`);
  printRows(rows);
  results.push(...rows);
  return rows;
}

const bitsOf = (bits: readonly number[]): number => bits.reduce((sum, each) => sum + each, 0);
const describe = ({ ringDegree, dataBits, specialBits }: Chain): string =>
  `N=${ringDegree}, log2 Q ${bitsOf(dataBits)}, alpha ${specialBits.length}`;

async function benchCkks(): Promise<void> {
  const params = describe(LONGEST);
  const party = createParty(LONGEST, HOISTED_STEPS);
  const rival = await createRival({
    ringDegree: LONGEST.ringDegree,
    chain: [...LONGEST.dataBits, ...LONGEST.specialBits],
    steps: HOISTED_STEPS,
  });
  measureAll("CKKS, server", evaluationCases(party, rival, params));
  measureAll("CKKS, client", clientCases(party, rival, params));
  sizes.push(...clientSizes(party, rival, params).filter(isWanted));

  const switching = /(rotate|multiply-relinearize)$/;
  const wide = await createRival({ ringDegree: LONGEST.ringDegree, chain: WIDE_PRIMES, steps: HOISTED_STEPS });
  measureAll(
    "CKKS, against primes of the rival's own choice",
    evaluationCases(party, wide, `${params}, peer's wide primes`).filter(({ name }) => switching.test(name)),
  );
  const pairs = createParty(TWO_A_DIGIT, HOISTED_STEPS);
  const near = await createRival({
    ringDegree: TWO_A_DIGIT.ringDegree,
    chain: [...TWO_A_DIGIT.dataBits, 30],
    steps: HOISTED_STEPS,
  });
  measureAll(
    "CKKS, two primes a digit",
    evaluationCases(pairs, near, describe(TWO_A_DIGIT)).filter(({ name }) => switching.test(name)),
  );
}

async function benchBfv(): Promise<void> {
  for (const chain of BFV_CHAINS) {
    const { ringDegree, dataBits, plainBits, rivalChain } = chain;
    const params = `${describe(chain)}, log2 t ${plainBits}`;
    if (options.grep && !/bfv/.test(options.grep) && !isWanted({ name: "bfv/", params })) continue;
    if (!options.grep && options.quick && ringDegree > LONGEST.ringDegree) continue;
    const party = createBfvParty(chain, BFV_STEPS);
    const { plainModulus } = party.context;
    const rival = await createBfvRival({ ringDegree, chain: rivalChain, plainModulus, steps: BFV_STEPS });
    measureAll(
      `BFV, log2 Q ${bitsOf(dataBits)} against ${bitsOf(rivalChain.slice(0, -1))}`,
      bfvCases(party, rival, params),
    );
  }
}

/** The others take longer than `--quick` has. */
const QUICK_NETWORKS: readonly string[] = ["lenet1-square", "tenseal-net"];

async function benchNetworks(): Promise<void> {
  const rival = await createRival(YARDSTICK);
  for (const fixture of NETWORKS) {
    const { name } = fixture;
    // Those that are asked for by name are always measured.
    if (
      options.grep
        ? !isWanted({ name: `network/${name}`, params: "" })
        : options.quick && !QUICK_NETWORKS.includes(name)
    ) {
      continue;
    }
    const { cases, memory, close } = await networkBench(fixture, rival, !options.quick || options.grep !== "");
    measureAll(`Network ${name}`, cases);
    await close();
    const [keys, heap] = [memory.keyBytes, memory.heapBytes].map((bytes) => (bytes / 1e6).toFixed(1));
    console.log(`evaluation keys on the wire ${keys} MB, the server's heap ${heap} MB`);
  }
}

/** A batch takes seconds: two rounds of it are as long as six of anything else. */
const BATCH_ROUNDS = 2;

/** @param name As the rows' names begin. */
async function benchBatch(name: string, open: () => Promise<BatchBench>): Promise<void> {
  // Batches on integers take half a minute each.
  if (options.grep ? !isWanted({ name, params: "N=8192" }) : options.quick && name.startsWith("batch-bfv")) return;
  const { cases, notes, close } = await open();
  const rows = measureAll("Batches of images", cases, { ...effort, rounds: Math.min(effort.rounds, BATCH_ROUNDS) });
  await close();
  for (const { name, params, micros } of rows) {
    console.log(`${name} (${params}): ${Math.round(1e6 / micros)} images a second`);
  }
  for (const note of new Set(notes)) console.log(note);
}

const started = performance.now();
measureAll("Kernels", kernelCases());
await benchCkks();
await benchBfv();
await benchNetworks();
await benchBatch("batch/lenet1-square", batchBench);
await benchBatch("batch-bfv/lenet1-square", integerBench);
if (results.length + sizes.length === 0) throw new RangeError(`no benchmark matches ${wanted}`);
if (sizes.length > 0) {
  console.log("\nSizes");
  printSizes(sizes);
}
const partial = options.grep !== "" || options.quick;
if (results.length > 0) writeRows(RESULTS, results, partial);
if (sizes.length > 0) writeRows(SIZES, sizes, partial);
console.log(`\n${results.length} figures in ${((performance.now() - started) / 1000).toFixed(0)} s`);
