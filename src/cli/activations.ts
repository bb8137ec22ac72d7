/** What a model's activations become: exact ones that the client applies, or polynomials that are fitted on images like those to come. */

import { type ActivationFit, type Activations, fit, type SourceModel } from "../builder/index.ts";
import type { Tensor } from "../plan/index.ts";
import { parseChoice } from "./arguments.ts";
import { UsageError } from "./failure.ts";
import { type ImageArguments, readImageFiles } from "./images.ts";
import { type Progress, paint } from "./progress.ts";

const MODES = ["client", "polynomial"] as const;

/** Options of commands that prepare a model, for citty. */
export const activationOptions = {
  activations: {
    type: "string",
    valueHint: "client|polynomial",
    description:
      "For models with ReLU, SiLU, MaxPool2d and the like: the client decrypts before each, applies it and encrypts again; or polynomials take the place of activations (and MaxPool2d is left to the client)",
  },
  calibrate: {
    type: "string",
    valueHint: "FILE",
    description: "For polynomials: images like those to come, a few hundred, on which they are fitted",
  },
} as const;

export interface ActivationArguments {
  readonly activations?: string | undefined;
  readonly calibrate?: string | undefined;
}

export type ActivationChoice =
  | { readonly mode: "none" | "client" }
  | { readonly mode: "polynomial"; readonly calibrate: string };

/** @throws UsageError for another mode, and where one of the two options lacks the other. */
export function parseActivations({ activations, calibrate }: ActivationArguments): ActivationChoice {
  const mode = activations === undefined ? "none" : parseChoice("activations", activations, MODES);
  if (mode !== "polynomial") {
    if (calibrate === undefined) return { mode };
    throw new UsageError("--calibrate is for --activations polynomial");
  }
  if (calibrate !== undefined) return { mode, calibrate };
  throw new UsageError("--activations polynomial needs --calibrate FILE, images like those to come");
}

/** A model that can be compiled. */
export interface PreparedModel {
  readonly model: SourceModel;
  /** For `compile`. */
  readonly activations: Activations | undefined;
  /** Where polynomials were fitted: the model that they were fitted to, what was found, and images to measure value ranges with. */
  readonly fitted?: {
    readonly exact: SourceModel;
    readonly fit: ActivationFit;
    readonly samples: readonly Tensor[];
  };
}

/** As many images show how large values become. */
const SAMPLES = 32;

/** Fits polynomials where that was chosen. @throws what `readImageFiles` and `fit` throw. */
export async function prepareModel(
  model: SourceModel,
  choice: ActivationChoice,
  { mean, std }: ImageArguments,
  progress: Progress,
): Promise<PreparedModel> {
  if (choice.mode !== "polynomial") return { model, activations: choice.mode === "client" ? "client" : undefined };
  const fitting = progress.step("Fitting polynomials");
  await paint();
  const { images } = await readImageFiles([choice.calibrate], { mean, std }, model);
  const calibration = images.map(({ tensor }) => tensor);
  const fitted = fit(model, { calibration });
  fitting.done(describeFit(fitted.fit));
  const samples = calibration.slice(0, SAMPLES);
  return { model: fitted.model, activations: "client", fitted: { exact: model, fit: fitted.fit, samples } };
}

function describeFit({ activations, ownerLayers, agreement }: ActivationFit): string {
  const polynomials = activations.map(({ index, kind, degree, interval, largestError }) => {
    const [low, high] = interval.map((end) => end.toFixed(1));
    return `layer ${index} (${kind}) degree ${degree} on [${low}, ${high}] within ${largestError.toPrecision(2)}`;
  });
  const left = ownerLayers.length > 0 ? [`layers ${ownerLayers.join(", ")} are the client's`] : [];
  return [...polynomials, ...left, `${(100 * agreement).toFixed(1)} % of the answers kept`].join("; ");
}
