#!/usr/bin/env node
/** The command line: finds the command, checks its arguments, turns what goes wrong into one line and an exit code. */

import { stripVTControlCharacters } from "node:util";
import { renderUsage } from "citty";
import { type Command, PROGRAM } from "./command.ts";
import { classify } from "./commands/classify.ts";
import { client } from "./commands/client.ts";
import { demo } from "./commands/demo.ts";
import { plan } from "./commands/plan.ts";
import { run } from "./commands/run.ts";
import { serve } from "./commands/serve.ts";
import { testParameters } from "./commands/test-parameters.ts";
import { describeFailure, UsageError } from "./failure.ts";
import { packageVersion } from "./files.ts";

const COMMANDS: readonly Command[] = [demo, plan, run, serve, classify, client, testParameters];

function print(usage: string): void {
  const coloured = process.stdout.isTTY && !process.env.NO_COLOR;
  const text = coloured ? usage : stripVTControlCharacters(usage);
  process.stdout.write(`${text.replace(/ +$/gm, "").trimEnd()}\n`);
}

function programUsage(): Promise<string> {
  const subCommands = COMMANDS.map(({ name, description }) => [name, { meta: { name, description } }]);
  return renderUsage({ meta: PROGRAM, subCommands: Object.fromEntries(subCommands) });
}

/** The arguments before `--`, behind which everything is a file's name. */
function asks(raw: readonly string[], ...flags: string[]): boolean {
  const end = raw.indexOf("--");
  return raw.slice(0, end < 0 ? undefined : end).some((argument) => flags.includes(argument));
}

async function dispatch(command: Command | undefined, [name, ...rest]: readonly string[]): Promise<void> {
  if (command && asks(rest, "--help", "-h")) return print(await command.usage());
  if (command) return command.execute(rest);
  if (name === "--help" || name === "-h") return print(await programUsage());
  if (name === "--version" || name === "-v") return print(await packageVersion());
  const names = COMMANDS.map((each) => each.name).join(", ");
  if (name === undefined) throw new UsageError(`a command is missing: ${names}`);
  throw new UsageError(`there is no command ${JSON.stringify(name)}; there are ${names}`);
}

function fail(error: unknown, command: Command | undefined): number {
  const { line, exitCode } = describeFailure(error, command ? `${PROGRAM.name} ${command.name}` : PROGRAM.name);
  process.stderr.write(`${PROGRAM.name}: ${line}\n`);
  if (process.env.CRCNN_DEBUG) console.error(error);
  return exitCode;
}

// Whoever reads our output may stop before its end, as `head` does; a disk may be full.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : fail(error, command));
});

const raw = process.argv.slice(2);
const command = COMMANDS.find(({ name }) => name === raw[0]);
try {
  await dispatch(command, raw);
} catch (error) {
  process.exitCode = fail(error, command);
}
