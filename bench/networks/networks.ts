/** Whole networks: the server's warm evaluation, against one rotation of the rival. */

import { readFileSync } from "node:fs";
import { type CompiledNetwork, compile, loadTorch } from "crcnn/builder";
import { readNpy } from "crcnn/data";
import { createEngine, createThreadedEngine, type Engine } from "crcnn/math";
import { createOwner } from "crcnn/owner";
import { prepareProgram, runEncrypted, type Tensor } from "crcnn/plan";
import { freeCiphertext, modulusBits, serializeEvaluationKeys } from "crcnn/rlwe";
import { type Case, requireNear } from "../measure.ts";
import { randomReals } from "../random.ts";
import type { Rival } from "../rival.ts";
import { bytesMoved } from "../traffic.ts";

/** Seen from `bench/dist/networks`. */
const FIXTURES = new URL("../../../test/fixtures/", import.meta.url);

export interface FixtureNetwork {
  readonly name: string;
  /** Its images under `samples`. */
  readonly samples: string;
  /** Takes too long for the TypeScript kernels. */
  readonly large?: boolean;
  /** Measured once more with as many ciphertexts for an image: rotated copies from the client. */
  readonly inputCiphertexts?: number;
}

export const NETWORKS: readonly FixtureNetwork[] = [
  { name: "lenet1-square", samples: "mnist16", inputCiphertexts: 12 },
  { name: "tenseal-net", samples: "mnist16", inputCiphertexts: 12 },
  { name: "lenet1-one-square", samples: "mnist16" },
  { name: "cryptonets", samples: "mnist16" },
  { name: "mlp", samples: "mnist16" },
  { name: "linear", samples: "mnist16" },
  { name: "fashion-cnn-bn-square", samples: "fashion16", large: true },
  { name: "lenet5-square", samples: "mnist16", large: true },
  { name: "cifar-like", samples: "cifar-like16", large: true },
];
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

/** The same network on one thread, on two, with rotated copies from the client where a number of them is given, and, if asked for and not large, with the TypeScript kernels. */
export async function networkBench(
  fixture: FixtureNetwork,
  rival: Rival,
  withTypescript: boolean,
): Promise<NetworkBench> {
  const { name, large = false, inputCiphertexts } = fixture;
  const image = firstImage(fixture);
  const model = loadTorch(readFileSync(new URL(`models/${name}/${name}.pt`, FIXTURES)), name);
  const inputShape = image.input.shape;
  const network = compile(model, { inputShape });
  const turns = yardstick(rival);
  const two = await createThreadedEngine({ threads: 2 });
  const wasm = await serve(image, network, createEngine({ backend: "wasm" }));
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
  const servers = [
    { ...wasm, suffix: "" },
    { ...(await serve(image, network, two)), suffix: ", 2 threads" },
  ];
  if (inputCiphertexts) {
    const spared = compile(model, { inputShape, inputCiphertexts });
    const { ciphertexts } = spared.manifest.segments[0]!.input;
    const suffix = `, ${ciphertexts} ciphertexts an image`;
    servers.push({ ...(await serve(image, spared, createEngine({ backend: "wasm" }))), suffix });
  }
  if (withTypescript && !large) {
    const slow = await serve(image, network, createEngine({ backend: "ts" }));
    servers.push({ ...slow, suffix: ", TypeScript kernels" });
  }
  const cases = servers.map(({ run, verify, suffix }) => ({
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

interface Image {
  readonly input: Tensor;
  readonly logits: Float64Array;
}

function firstImage({ name, samples }: FixtureNetwork): Image {
  const images = readNpy(readFileSync(new URL(`samples/${samples}.input.npy`, FIXTURES)));
  const logits = readNpy(readFileSync(new URL(`models/${name}/${name}.logits.npy`, FIXTURES)));
  const shape = images.shape.slice(1);
  const size = shape.reduce((product, length) => product * length, 1);
  return {
    input: { shape, data: images.data.slice(0, size) },
    logits: logits.data.slice(0, logits.shape.at(-1)),
  };
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
  { input: image, logits }: Image,
  { manifest, plans, schedules }: CompiledNetwork,
  engine: Engine,
): Promise<{ run: () => void; verify: () => void; memory: NetworkBench["memory"] }> {
  const owner = await createOwner(manifest, { engine });
  const segment = manifest.segments[0]!;
  const program = prepareProgram(plans[0]!, schedules[0]!, owner.evaluator.encoder);
  const input = owner.encryptInput(segment, image);
  const evaluate = (): ReturnType<typeof runEncrypted> => runEncrypted(program, owner.evaluator.operations, input);
  const { heap } = owner.context.ring;
  return {
    run: () => evaluate().forEach(freeCiphertext),
    verify: () => {
      const result = evaluate();
      const { data } = owner.decryptOutput(segment, result);
      result.forEach(freeCiphertext);
      const largest = Math.max(...logits.map(Math.abs));
      requireNear(`ours (${engine.kernels.backend}, threads: ${engine.threads})`, data, logits, PRECISION * largest);
    },
    get memory() {
      const keyBytes = serializeEvaluationKeys(owner.context, owner.evaluationKeys).length;
      return { keyBytes, heapBytes: heap.usage().reserved };
    },
  };
}
