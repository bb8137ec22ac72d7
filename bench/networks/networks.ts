/** Whole networks: the server's warm evaluation, against one rotation of the rival. */

import { readFileSync } from "node:fs";
import { type CompiledNetwork, compile, loadTorch } from "crcnn/builder";
import { readNpy } from "crcnn/data";
import { createEngine, createThreadedEngine, type Engine } from "crcnn/math";
import { createOwner } from "crcnn/owner";
import { prepareProgram, runEncrypted } from "crcnn/plan";
import { freeCiphertext, modulusBits, serializeEvaluationKeys } from "crcnn/rlwe";
import { type Case, requireNear } from "../measure.ts";
import { randomReals } from "../random.ts";
import type { Rival } from "../rival.ts";
import { bytesMoved } from "../traffic.ts";

/** Seen from `bench/dist/networks`. */
const FIXTURES = new URL("../../../test/fixtures/", import.meta.url);
const IMAGE = { shape: [1, 28, 28], size: 784 };
export const NETWORKS: readonly string[] = ["lenet1-square", "tenseal-net", "mlp", "linear"];
/** Relative to the largest logit: what compile() promises by default. */
const PRECISION = 1e-3;
/** Of a rotation at scale 2^26; `ckks/evaluation.ts` says why it is no less. */
const PEER_TOLERANCE = 0.2;

/** The chain of the yardstick. */
export const YARDSTICK = { ringDegree: 8192, chain: [31, 26, 26, 26, 26, 26, 26, 31], steps: [1] };

export interface NetworkBench {
  readonly cases: readonly Case[];
  /** Keys on the wire, and the server's heap: keys, encoded weights and one evaluation. */
  readonly memory: { readonly keyBytes: number; readonly heapBytes: number };
  /** Stops threads. */
  close(): Promise<void>;
}

/** The same network on one thread, on two, and with the TypeScript kernels. */
export async function networkBench(name: string, rival: Rival): Promise<NetworkBench> {
  const network = compileFixture(name);
  const turns = yardstick(rival);
  const two = await createThreadedEngine({ threads: 2 });
  const wasm = await serve(name, network, createEngine({ backend: "wasm" }));
  const { parameters } = network.manifest;
  const bits = modulusBits([...parameters.dataPrimes, ...parameters.specialPrimes]).toFixed(0);
  const cost = network.costs[0]!;
  const common = {
    name: `network/${name}`,
    peer: `one rotation, ${rival.name}`,
    theirs: turns.rotate,
    bytes: bytesMoved(parameters.ringDegree, cost.counts),
  };
  const params = `N=${parameters.ringDegree}, log2 QP ${bits}, ${cost.rotations} rotations`;
  const cases = [
    { ...wasm, suffix: "" },
    { ...(await serve(name, network, two)), suffix: ", 2 threads" },
    { ...(await serve(name, network, createEngine({ backend: "ts" }))), suffix: ", TypeScript kernels" },
  ].map(({ run, verify, suffix }) => ({
    ...common,
    params: params + suffix,
    ours: run,
    verify: () => {
      verify();
      turns.verify();
    },
  }));
  return { cases, memory: wasm.memory, close: two.close };
}

function compileFixture(name: string): CompiledNetwork {
  const model = loadTorch(readFileSync(new URL(`models/${name}/${name}.pt`, FIXTURES)), name);
  return compile(model, { inputShape: IMAGE.shape });
}

function yardstick(rival: Rival): { rotate: () => void; verify: () => void } {
  const values = randomReals(rival.encoder.slotCount, 5);
  const operand = rival.encrypt(values, 2 ** 26);
  const result = rival.emptyCiphertext();
  const rotate = (): void => void rival.evaluator.rotateVector(operand, 1, rival.galoisKeys, result);
  const verify = (): void => {
    rotate();
    const expected = values.map((_, i) => values[(i + 1) % values.length]!);
    requireNear("the peer's", rival.decryptSlots(result), expected, PEER_TOLERANCE);
  };
  return { rotate, verify };
}

/** A server with keys, encoded weights and one encrypted image. */
async function serve(
  name: string,
  { manifest, plans, schedules }: CompiledNetwork,
  engine: Engine,
): Promise<{ run: () => void; verify: () => void; memory: NetworkBench["memory"] }> {
  const owner = await createOwner(manifest, { engine });
  const segment = manifest.segments[0]!;
  const program = prepareProgram(plans[0]!, schedules[0]!, owner.evaluator.encoder);
  const images = readNpy(readFileSync(new URL("samples/mnist16.input.npy", FIXTURES)));
  const logits = readNpy(readFileSync(new URL(`models/${name}/${name}.logits.npy`, FIXTURES)));
  const [image, expected] = [images.data.slice(0, IMAGE.size), logits.data.slice(0, logits.shape.at(-1))];
  const input = owner.encryptInput(segment, { shape: IMAGE.shape, data: Float64Array.from(image) });
  const evaluate = (): ReturnType<typeof runEncrypted> => runEncrypted(program, owner.evaluator.operations, input);
  const { heap } = owner.context.ring;
  return {
    run: () => evaluate().forEach(freeCiphertext),
    verify: () => {
      const result = evaluate();
      const { data } = owner.decryptOutput(segment, result);
      result.forEach(freeCiphertext);
      const largest = Math.max(...expected.map(Math.abs));
      requireNear(`ours (${engine.kernels.backend}, threads: ${engine.threads})`, data, expected, PRECISION * largest);
    },
    get memory() {
      const keyBytes = serializeEvaluationKeys(owner.context, owner.evaluationKeys).length;
      return { keyBytes, heapBytes: heap.usage().reserved };
    },
  };
}
