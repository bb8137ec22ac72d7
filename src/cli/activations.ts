/** What a model's activations become: exact ones that the client applies, or polynomials that are fitted on images like those to come. */

import {
  type ActivationFit,
  type Activations,
  type FitMethod,
  type FittedModel,
  fit,
  type InputRange,
  type SourceModel,
} from "../builder/index.ts";
import type { Tensor } from "../plan/index.ts";
import { parseChoice } from "./arguments.ts";
import { UsageError } from "./failure.ts";
import { type ImageArguments, readImageFiles } from "./images.ts";
import { type Progress, paint } from "./progress.ts";

const MODES = ["client", "polynomial"] as const;
const FIT_METHODS = ["least-squares", "minimax", "sign"] as const satisfies readonly FitMethod[];

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
  fit: {
    type: "string",
    valueHint: FIT_METHODS.join("|"),
    description:
      "For polynomials: least squares (the default), the least largest error, or a composed sign for ReLU, which is closer and far deeper",
  },
} as const;

export interface ActivationArguments {
  readonly activations?: string | undefined;
  readonly calibrate?: string | undefined;
  readonly fit?: string | undefined;
}

export type ActivationChoice =
  | { readonly mode: "none" | "client" }
  | { readonly mode: "polynomial"; readonly calibrate: string; readonly method?: FitMethod | undefined };

/** @throws UsageError for another mode, and where one of the two options lacks the other. */
export function parseActivations({ activations, calibrate, fit: method }: ActivationArguments): ActivationChoice {
  const mode = activations === undefined ? "none" : parseChoice("activations", activations, MODES);
  if (mode !== "polynomial") {
    if ((calibrate ?? method) === undefined) return { mode };
    throw new UsageError(`--${calibrate === undefined ? "fit" : "calibrate"} is for --activations polynomial`);
  }
  if (calibrate !== undefined) {
    return { mode, calibrate, method: method === undefined ? undefined : parseChoice("fit", method, FIT_METHODS) };
  }
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
  /** Of all images of such files. */
  readonly inputRange: InputRange;
}

/** As many images show how large values become. */
const SAMPLES = 32;

/** Fits polynomials on the images of a file. @throws what `readImageFiles` and `fit` throw. */
export async function fitOnImages(
  exact: SourceModel,
  file: string,
  { mean, std }: Pick<ImageArguments, "mean" | "std">,
  method?: FitMethod,
): Promise<FittedPolynomials> {
  const { images, inputRange } = await readImageFiles([file], { mean, std }, exact);
  const calibration = images.map(({ tensor }) => tensor);
  return { ...fit(exact, { calibration, method }), exact, samples: calibration.slice(0, SAMPLES), inputRange };
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
  const fitted = await fitOnImages(model, choice.calibrate, images, choice.method);
  fitting.done(describeFit(fitted.fit));
  return { model: fitted.model, activations: "client", fitted };
}

/** One line. */
export function describeFit({ activations, ownerLayers, agreement }: ActivationFit): string {
  const polynomials = activations.map(({ index, kind, degree, composition, interval, largestError }) => {
    const [low, high] = interval.map((end) => end.toFixed(1));
    const shape = composition ? `a sign composed of ${composition.compositions}` : `degree ${degree}`;
    return `layer ${index} (${kind}) ${shape} on [${low}, ${high}] within ${largestError.toPrecision(2)}`;
  });
  const left = ownerLayers.length > 0 ? [`layers ${ownerLayers.join(", ")} are the client's`] : [];
  return [...polynomials, ...left, `${(100 * agreement).toFixed(1)} % of the answers kept`].join("; ");
}
