/** What a model's activations become: exact ones that the client applies, or polynomials that are fitted on images like those to come. */

import {
  type ActivationFit,
  type Activations,
  type FitDegree,
  type FitMethod,
  type FitOptions,
  type FittedModel,
  fit,
  type InputRange,
  type SourceModel,
} from "../builder/index.ts";
import type { Tensor } from "../plan/index.ts";
import { parseChoice, parseIntegers } from "./arguments.ts";
import { UsageError } from "./failure.ts";
import { type ImageArguments, readImageFiles } from "./images.ts";
import { type Progress, paint } from "./progress.ts";

const MODES = ["client", "polynomial"] as const;
const DEGREES = ["2", "3", "4", "8"] as const;
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
  degrees: {
    type: "string",
    valueHint: "LIST",
    description: "For polynomials: degrees to choose from, as 2,4; by default 2, 4 and 8, or 3 for odd functions",
  },
} as const;

export interface ActivationArguments {
  readonly activations?: string | undefined;
  readonly calibrate?: string | undefined;
  readonly fit?: string | undefined;
  readonly degrees?: string | undefined;
}

export type ActivationChoice =
  | { readonly mode: "none" | "client" }
  | { readonly mode: "polynomial"; readonly calibrate: string; readonly how: FitChoice };

/** How polynomials are fitted, where that was said. */
type FitChoice = Pick<FitOptions, "method" | "degrees">;

/** @throws UsageError for another mode, and where one of the two options lacks the other. */
export function parseActivations({ activations, calibrate, ...how }: ActivationArguments): ActivationChoice {
  const mode = activations === undefined ? "none" : parseChoice("activations", activations, MODES);
  if (mode !== "polynomial") {
    const given = Object.entries({ calibrate, fit: how.fit, degrees: how.degrees }).find(
      ([, value]) => value !== undefined,
    );
    if (given === undefined) return { mode };
    throw new UsageError(`--${given[0]} is for --activations polynomial`);
  }
  if (calibrate !== undefined) {
    const method = how.fit === undefined ? undefined : parseChoice("fit", how.fit, FIT_METHODS);
    const degrees = how.degrees === undefined ? undefined : parseDegrees(how.degrees);
    return { mode, calibrate, how: { method, degrees } };
  }
  throw new UsageError("--activations polynomial needs --calibrate FILE, images like those to come");
}

function parseDegrees(text: string): FitDegree[] {
  const degrees = parseIntegers("degrees", text, ",");
  return degrees.map((degree) => Number(parseChoice("degrees", String(degree), DEGREES)) as FitDegree);
}

/** A model that can be compiled. */
export interface PreparedModel {
  readonly model: SourceModel;
  /** For `compile`. */
  readonly activations: Activations | undefined;
  readonly fitted?: FittedPolynomials | undefined;
}

export interface FittedPolynomials extends FittedModel {
  /** What they were fitted to. */
  readonly exact: SourceModel;
  readonly calibration: readonly Tensor[];
  /** Some of them, to measure value ranges with. */
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
  how: FitChoice = {},
): Promise<FittedPolynomials> {
  const { images, inputRange } = await readImageFiles([file], { mean, std }, exact);
  const calibration = images.map(({ tensor }) => tensor);
  const samples = calibration.slice(0, SAMPLES);
  return { ...fit(exact, { ...how, calibration }), exact, calibration, samples, inputRange };
}

/** The same with polynomials of lower degrees, the highest first, however many answers they keep; with the degree that all have at most. */
export function* lowerDegrees(
  fitted: FittedPolynomials,
): Generator<FittedPolynomials & { readonly degree: FitDegree }> {
  const highest = Math.max(...fitted.fit.activations.map(({ degree }) => degree));
  for (const degree of [8, 4, 2] as const) {
    if (degree >= highest) continue;
    const { exact, calibration } = fitted;
    yield { ...fitted, ...fit(exact, { calibration, degrees: [degree], agreement: 0 }), degree };
  }
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
  const fitted = await fitOnImages(model, choice.calibrate, images, choice.how);
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
