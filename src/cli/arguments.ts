/** Checks of the command line that citty does not make: it takes unknown flags for positional arguments. */

import { parseArgs } from "node:util";
import type { ArgsDef } from "citty";
import { MAX_THREADS } from "../math/index.ts";
import { UsageError } from "./failure.ts";

/**
 * Checks raw arguments against a command's definition.
 *
 * @throws UsageError for an unknown option, a missing or superfluous value, missing positional arguments or too many of them.
 */
export function checkArguments(raw: readonly string[], definitions: ArgsDef, repeats: boolean): void {
  const options = Object.entries(definitions).filter(([, { type }]) => type !== "positional");
  const { tokens, positionals } = parseArgs({
    args: [...raw],
    options: Object.fromEntries(
      options.map(([name, { type }]) => [name, { type: type === "boolean" ? "boolean" : "string" }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== "option" || isNegation(token, definitions)) continue;
    const definition = definitions[token.name];
    if (!definition || definition.type === "positional" || !token.rawName.startsWith("--")) {
      throw new UsageError(`there is no option ${token.rawName}`);
    }
    if (definition.type === "boolean") {
      if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
    } else if (!token.value || (!token.inlineValue && token.value.startsWith("--"))) {
      throw new UsageError(`${token.rawName} needs a value`);
    }
  }
  const names = Object.entries(definitions).flatMap(([name, { type }]) => (type === "positional" ? [name] : []));
  const missing = names[positionals.length];
  if (missing !== undefined) throw new UsageError(`${missing.toUpperCase()} is missing`);
  if (!repeats && positionals.length > names.length) {
    throw new UsageError(`there is no place for the argument ${JSON.stringify(positionals[names.length])}`);
  }
  for (const [name, { required }] of options) {
    if (required && !tokens.some((token) => token.kind === "option" && token.name === name)) {
      throw new UsageError(`--${name} is missing`);
    }
  }
}

/** `--no-cache` for an option `cache` that is on by default. */
function isNegation(
  { name, rawName, value }: { readonly name: string; readonly rawName: string; readonly value?: string | undefined },
  definitions: ArgsDef,
): boolean {
  const definition = rawName.startsWith("--no-") ? definitions[name.slice("no-".length)] : undefined;
  return definition?.type === "boolean" && definition.default === true && value === undefined;
}

/** An integer in a range. */
export function parseInteger(option: string, text: string, least: number, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  const range =
    most === Number.MAX_SAFE_INTEGER ? `an integer from ${least} on` : `an integer from ${least} to ${most}`;
  throw new UsageError(`--${option} takes ${range}, got ${JSON.stringify(text)}`);
}

/** Integers from 0 on with something between them. */
export function parseIntegers(option: string, text: string, separator: string): number[] {
  return text.split(separator).map((part) => parseInteger(option, part, 0, Number.MAX_SAFE_INTEGER));
}

/** Sizes of axes, as 1x28x28. */
export function parseShape(text: string): number[] {
  if (/^\d+([x,]\d+)*$/.test(text)) return text.split(/[x,]/).map(Number);
  throw new UsageError(`--input-shape takes sizes with an x between them, as 1x28x28, got ${JSON.stringify(text)}`);
}

/** A number of threads, or "auto". */
export function parseThreads(text: string): number | "auto" {
  return text === "auto" ? "auto" : parseInteger("threads", text, 1, MAX_THREADS);
}

/** Numbers with commas between them. */
export function parseNumbers(option: string, text: string): number[] {
  const parts = text.split(",");
  const values = parts.map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  if (values.every(Number.isFinite)) return values;
  throw new UsageError(
    `--${option} takes a number for each channel with commas between them, as 0.48,0.45,0.4, got ${JSON.stringify(text)}`,
  );
}

/** One of a few words. */
export function parseChoice<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw new UsageError(`--${option} takes ${choices.join(" or ")}, got ${JSON.stringify(text)}`);
}
