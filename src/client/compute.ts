/** Layers of a served model on one tensor, as PyCrCNN's client has them computed: a ciphertext an element, a request a round. */

import {
  type BfvParameters,
  type ChosenParameters,
  chooseSeedParameters,
  createFractionalEncoder,
} from "../bfv/index.ts";
import { CrcnnError, throwIfAborted } from "../errors/index.ts";
import type { RandomSource } from "../math/index.ts";
import {
  type BfvOwner,
  createOwner,
  type EvaluateLayers,
  type RefreshRound,
  refreshRounds,
  runRefreshRounds,
} from "../owner/index.ts";
import { checkInput, formatShape, type Shape, sizeOf, type Tensor } from "../plan/index.ts";
import {
  type ComputeRequest,
  ciphertextCharacters,
  decodeCiphertexts,
  encodeBase64,
  encodeCiphertexts,
  findNet,
  flatten,
  MAX_COMPUTE_AXES,
  MAX_COMPUTE_BYTES,
  MAX_COMPUTE_COMPONENTS,
  MAX_COMPUTE_ELEMENTS,
  MAX_COMPUTE_VALUES,
  MAX_MANIFEST_BYTES,
  parseBulkJson,
  parseModelList,
  paths,
} from "../protocol/index.ts";
import { serializeEvaluationKeys, serializePublicKey } from "../rlwe/index.ts";
import type { ComputeConfig } from "./config.ts";
import type { Classification, ClientProgress, Traffic } from "./session.ts";
import { addRoundTrip, stopwatch } from "./stopwatch.ts";
import { createTransport, type Fetch, type Transport } from "./transport.ts";

export interface ComputeLayersOptions {
  /** The runtime's own by default. */
  readonly fetch?: Fetch | undefined;
  /** Steps of a round count rounds. */
  readonly onProgress?: ((progress: ClientProgress) => void) | undefined;
  /** Cancels whatever runs. */
  readonly signal?: AbortSignal | undefined;
  /** The operating system's generator by default; another one is for tests alone. */
  readonly random?: RandomSource | undefined;
}

export interface ComputedLayers {
  readonly output: Tensor;
  /** Requests that it took: one more than re-encryptions on the way. */
  readonly rounds: number;
  readonly bytes: Traffic;
  /** Sums over the rounds; `keys` for making them. */
  readonly milliseconds: Classification["milliseconds"] & { readonly keys: number };
}

/**
 * Makes keys, encrypts a tensor, has layers computed on it, decrypts what comes back. At each re-encryption position the intermediate result
 * is decrypted and encrypted afresh, with a Square that stands there applied in between; if one is lost the rounds go on with zeros, so that
 * the server cannot tell. All keys are gone afterwards.
 *
 * @param input What enters the first of the layers, without a batch axis.
 * @throws CrcnnError VALUE_RANGE for a value that the encoder does not hold, PRECISION_LOST where a noise budget was used up, LIMIT_EXCEEDED for
 * a tensor that is too large, SERVER_REFUSED, SERVER_UNREACHABLE, INVALID_MESSAGE, FOREIGN_OBJECT, ABORTED; RangeError for positions outside the layers.
 */
export async function computeLayers(
  { address, encryptionParameters, net, layers, maxThreads }: ComputeConfig,
  input: Tensor,
  { fetch: send, onProgress = () => {}, signal, random }: ComputeLayersOptions = {},
): Promise<ComputedLayers> {
  throwIfAborted(signal);
  const chosen = chooseSeedParameters(encryptionParameters);
  checkInput({ shape: input.shape }, input);
  requireSize(input.shape, chosen.parameters);
  const service = serviceAt(address, send ?? ((request) => fetch(request)));
  const { rencrypt_positions: positions, m, p, sec, base } = encryptionParameters;
  const rounds = await planRounds(service.transport, net, layers, positions, signal);

  const bytes = { up: 0, down: 0 };
  const milliseconds = { keys: 0, encrypt: 0, transfer: 0, evaluate: 0, decrypt: 0 };
  const lap = stopwatch();
  const report = (step: ClientProgress["step"], done: number, total: number): void => onProgress({ step, done, total });
  report("keys", 0, 1);
  const owner = await createOwner(
    { scheme: "bfv", parameters: chosen.parameters },
    { threads: maxThreads, random, signal },
  );
  try {
    const { context } = owner;
    const encoder = createFractionalEncoder(context, { base });
    const keys = publicMaterial(owner, chosen);
    milliseconds.keys = lap();
    report("keys", 1, 1);

    const evaluate: EvaluateLayers = async (numbers, tensor) => {
      requireSize(tensor.shape, chosen.parameters);
      const data = encodeCiphertexts(context, tensor);
      const request: ComputeRequest = {
        encryption_parameters: { m, p, sec, base },
        net,
        layers: numbers,
        data,
        ...keys,
      };
      const body = JSON.stringify(request);
      milliseconds.encrypt += lap();
      const answer = await service.transport({
        method: "POST",
        path: service.path,
        body,
        limit: MAX_COMPUTE_BYTES,
        signal,
      });
      addRoundTrip({ milliseconds, bytes }, body.length, answer, lap());
      const { data: nested } = parseBulkJson(answer.bytes, "the server's answer", { values: MAX_COMPUTE_VALUES });
      const flat = flatten(nested, "data", { axes: MAX_COMPUTE_AXES, elements: MAX_COMPUTE_ELEMENTS });
      return decodeCiphertexts(context, flat, "data", MAX_COMPUTE_COMPONENTS);
    };

    lap();
    const onStep = (step: ClientProgress["step"], round: number): void => {
      if (step === "encrypt") milliseconds.decrypt += lap();
      report(step, round, rounds.length);
    };
    const output = await runRefreshRounds(owner, { rounds, encoder, evaluate, lost: "hide", onStep }, input);
    milliseconds.decrypt += lap();
    report("decrypt", rounds.length, rounds.length);
    return { output, rounds: rounds.filter((round) => round.layers.length > 0).length, bytes, milliseconds };
  } finally {
    owner.destroy();
  }
}

/** The service's last path segment, and whatever stands beside it on the server. */
function serviceAt(address: string, send: Fetch): { readonly transport: Transport; readonly path: string } {
  const url = new URL(address);
  const path = `${url.pathname.slice(url.pathname.lastIndexOf("/") + 1)}${url.search}`;
  return { transport: createTransport(new URL(".", url).href, send), path };
}

/** Which layers stand where, the server alone knows. */
async function planRounds(
  transport: Transport,
  net: string,
  layers: readonly number[],
  positions: readonly number[],
  signal: AbortSignal | undefined,
): Promise<RefreshRound[]> {
  const { bytes } = await transport({ method: "GET", path: paths.models(), limit: MAX_MANIFEST_BYTES, signal });
  const { layers: kinds } = findNet(parseModelList(new TextDecoder().decode(bytes)).models, net);
  return refreshRounds(layers, (layer) => kinds[layer], positions);
}

function publicMaterial(
  owner: BfvOwner,
  { relinearization }: ChosenParameters,
): Pick<ComputeRequest, "public_key" | "evaluation_keys"> {
  const { context } = owner;
  const public_key = encodeBase64(serializePublicKey(context, owner.publicKey()));
  if (!relinearization) return { public_key };
  owner.addKeys({ relinearization });
  return { public_key, evaluation_keys: encodeBase64(serializeEvaluationKeys(context, owner.evaluationKeys)) };
}

/** @throws CrcnnError LIMIT_EXCEEDED for a tensor whose ciphertexts are more, or longer, than a request may have. */
function requireSize(shape: Shape, parameters: BfvParameters): void {
  const elements = sizeOf(shape);
  const characters = elements * ciphertextCharacters(parameters, "seeded");
  if (shape.length <= MAX_COMPUTE_AXES && elements <= MAX_COMPUTE_ELEMENTS && characters <= MAX_COMPUTE_BYTES) return;
  throw new CrcnnError(
    "LIMIT_EXCEEDED",
    `a tensor of ${formatShape(shape)} would be ${elements} ciphertexts of ${characters} bytes together, at most ${MAX_COMPUTE_ELEMENTS} along ` +
      `${MAX_COMPUTE_AXES} axes and ${MAX_COMPUTE_BYTES} bytes are sent; take a smaller m, or scale the image down`,
  );
}
