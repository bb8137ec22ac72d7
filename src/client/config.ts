/** PyCrCNN's client file, as it stands there. */

import { chooseSeedParameters, type SeedEncryptionParameters } from "../bfv/index.ts";
import { CrcnnError } from "../errors/index.ts";
import { MAX_THREADS } from "../math/index.ts";
import { refreshRounds } from "../owner/index.ts";
import { MAX_COMPUTE_LAYERS } from "../protocol/index.ts";

/** A set of encryption parameters, with what the client does on the way. */
export interface ClientEncryptionParameters extends SeedEncryptionParameters {
  /** Layers before which the client decrypts and encrypts afresh; a Square there is applied by the client. */
  readonly rencrypt_positions: readonly number[];
}

export interface ComputeConfig {
  /** Where the service answers, as `http://127.0.0.1:5000/compute`. */
  readonly address: string;
  readonly encryptionParameters: ClientEncryptionParameters;
  /** Which of the server's models. */
  readonly net: string;
  /** Numbers of the layers to run, ascending without a gap. */
  readonly layers: readonly number[];
  /** Threads that the client computes on; 1 by default. */
  readonly maxThreads: number;
  /** The file of the image, where the configuration names one. */
  readonly image: string | undefined;
  readonly debug: boolean;
}

const FIELDS = ["address", "encryption_parameters", "net", "layers", "max_threads", "image", "debug"] as const;
type Fields = Partial<Record<(typeof FIELDS)[number], unknown>>;

/**
 * Reads a client file: `{ "address", "encryption_parameters": [{ "m", "p", "sec", "base" }], "net", "layers" }`, optionally with
 * `rencrypt_positions` in the parameters, `max_threads`, `image` and `debug` ("y" or "n").
 *
 * @param name The file's name, for messages.
 * @throws CrcnnError INVALID_FILE of one line that names the field.
 */
export function parseClientConfig(text: string, name: string): ComputeConfig {
  try {
    return readConfig(parseObject(text));
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new CrcnnError("INVALID_FILE", `${name}: ${error.message}`, { cause: error });
  }
}

function parseObject(text: string): Fields {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new TypeError("it is not JSON");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new TypeError(`it must be a JSON object with ${FIELDS.slice(0, 4).join(", ")}`);
  }
  const unknown = Object.keys(parsed).find((field) => !FIELDS.some((known) => known === field));
  if (unknown !== undefined) {
    throw new TypeError(`the field ${describe(unknown)} is unknown; there are ${FIELDS.join(", ")}`);
  }
  return parsed;
}

function readConfig({ address, encryption_parameters, net, layers, max_threads, image, debug }: Fields): ComputeConfig {
  requireAddress(address);
  if (typeof net !== "string" || net.trim() === "") {
    throw new TypeError(`net must be the name of a model that the server has, as "MNIST", got ${describe(net)}`);
  }
  if (!isNumbers(layers) || layers.length === 0 || layers.some((layer, i) => layer !== layers[0]! + i)) {
    throw new TypeError(
      `layers must be layer numbers, from the smallest to the largest without a gap, as [0, 1, 2, 3], got ${describe(layers)}`,
    );
  }
  if (layers.length > MAX_COMPUTE_LAYERS) {
    throw new RangeError(`layers must be at most ${MAX_COMPUTE_LAYERS} numbers, got ${layers.length}`);
  }
  if (max_threads !== undefined && !isInteger(max_threads, 1, MAX_THREADS)) {
    throw new TypeError(`max_threads must be an integer from 1 to ${MAX_THREADS}, got ${describe(max_threads)}`);
  }
  if (image !== undefined && (typeof image !== "string" || image === "")) {
    throw new TypeError(`image must be the name of a file, got ${describe(image)}`);
  }
  if (debug !== undefined && debug !== "y" && debug !== "n") {
    throw new TypeError(`debug must be "y" or "n", got ${describe(debug)}`);
  }
  return {
    address,
    encryptionParameters: readParameters(encryption_parameters, layers),
    net,
    layers,
    maxThreads: max_threads ?? 1,
    image,
    debug: debug === "y",
  };
}

function readParameters(sets: unknown, layers: readonly number[]): ClientEncryptionParameters {
  if (!Array.isArray(sets) || sets.length !== 1) {
    throw new TypeError(
      `encryption_parameters must be a list of one set, as [{ "m": 2048, "p": 13513511, "sec": 128, "base": 2 }], got ${describe(sets)}`,
    );
  }
  const set: Partial<Record<keyof ClientEncryptionParameters, unknown>> = sets[0];
  chooseSeedParameters(set as unknown as SeedEncryptionParameters);
  const known = ["m", "p", "sec", "base", "rencrypt_positions"];
  const unknown = Object.keys(set).find((field) => !known.includes(field));
  if (unknown !== undefined) {
    throw new TypeError(
      `encryption_parameters: the field ${describe(unknown)} is unknown; there are ${known.join(", ")}`,
    );
  }
  const { rencrypt_positions: positions = [] } = set;
  if (!isNumbers(positions)) {
    throw new TypeError(
      `encryption_parameters: rencrypt_positions must be a list of layer numbers, as [3], got ${describe(positions)}`,
    );
  }
  // Checks them; kinds of layers are known to the server alone.
  refreshRounds(layers, () => undefined, positions);
  const { m, p, sec, base } = set as unknown as SeedEncryptionParameters;
  return { m, p, sec, base, rencrypt_positions: positions };
}

/** @throws TypeError for what is no http or https address with a path. */
function requireAddress(address: unknown): asserts address is string {
  const url = typeof address === "string" && URL.canParse(address) ? new URL(address) : undefined;
  const refuse = (problem: string): never => {
    throw new TypeError(`address must be that of a compute service, as http://127.0.0.1:5000/compute, ${problem}`);
  };
  if (url?.protocol !== "http:" && url?.protocol !== "https:") return refuse(`got ${describe(address)}`);
  if (url.username || url.password) return refuse("without a user name and password, which fetch does not send");
  if (url.pathname.endsWith("/")) return refuse("with the path of the service at its end");
}

function isInteger(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => isInteger(each, 0, Number.MAX_SAFE_INTEGER));
}

function describe(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 60);
}
