/** What a model's activations become: exact ones that the client applies, or polynomials that are fitted on images like those to come. */

import { type ActivationFit, type Activations, type FittedModel, fit, type SourceModel } from "../builder/index.ts";
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
  readonly fitted?: FittedPolynomials;
}

export interface FittedPolynomials extends FittedModel {
  /** What they were fitted to. */
  readonly exact: SourceModel;
  /** Images to measure value ranges with. */
  readonly samples: readonly Tensor[];
}

/** As many images show how large values become. */
const SAMPLES = 32;

/** Fits polynomials on the images of a file. @throws what `readImageFiles` and `fit` throw. */
export async function fitOnImages(
  exact: SourceModel,
  file: string,
  { mean, std }: Pick<ImageArguments, "mean" | "std">,
): Promise<FittedPolynomials> {
  const { images } = await readImageFiles([file], { mean, std }, exact);
  const calibration = images.map(({ tensor }) => tensor);
  return { ...fit(exact, { calibration }), exact, samples: calibration.slice(0, SAMPLES) };
}

/** Fits polynomials where that was chosen. @throws as {@link fitOnImages}. */
export async function prepareModel(
  model: SourceModel,
  choice: ActivationChoice,
  images: Pick<ImageArguments, "mean" | "std">,
  progress: Progress,
): Promise<PreparedModel> {
  if (choice.mode !== "polynomial") return { model, activations: choice.mode === "client" ? "client" : undefined };
  const fitting = progress.step("Fitting polynomials");
  await paint();
  const fitted = await fitOnImages(model, choice.calibrate, images);
  fitting.done(describeFit(fitted.fit));
  return { model: fitted.model, activations: "client", fitted };
}

/** One line. */
export function describeFit({ activations, ownerLayers, agreement }: ActivationFit): string {
  const polynomials = activations.map(({ index, kind, degree, interval, largestError }) => {
    const [low, high] = interval.map((end) => end.toFixed(1));
    return `layer ${index} (${kind}) degree ${degree} on [${low}, ${high}] within ${largestError.toPrecision(2)}`;
  });
  const left = ownerLayers.length > 0 ? [`layers ${ownerLayers.join(", ")} are the client's`] : [];
  return [...polynomials, ...left, `${(100 * agreement).toFixed(1)} % of the answers kept`].join("; ");
}
