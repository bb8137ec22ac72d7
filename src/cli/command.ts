/** A command: citty's definition, with the checks that citty does not make. */

import { type ArgsDef, type CommandDef, type ParsedArgs, renderUsage, runCommand } from "citty";
import { checkArguments } from "./arguments.ts";

export interface Command {
  readonly name: string;
  readonly description: string;
  /** Its help, coloured. */
  usage(): Promise<string>;
  /** @throws UsageError when the arguments are not what the command takes, and what the command throws. */
  execute(raw: readonly string[]): Promise<void>;
}

export interface CommandOptions<T extends ArgsDef> {
  readonly name: string;
  readonly description: string;
  readonly args: T;
  /** The last positional argument may be repeated. */
  readonly repeats?: boolean;
  run(args: ParsedArgs<T>): Promise<void>;
}

/** The program's name, as the help of each command begins with it. */
export const PROGRAM = { name: "crcnn", description: "Convolutional networks on encrypted images" } as const;

export function defineCommand<const T extends ArgsDef>(options: CommandOptions<T>): Command {
  const { name, description, args, repeats = false, run } = options;
  const definition: CommandDef<T> = { meta: { name, description }, args, run: (context) => run(context.args) };
  return {
    name,
    description,
    async usage() {
      const usage = await renderUsage(definition, { meta: PROGRAM } as CommandDef<T>);
      const last = Object.keys(args)
        .filter((argument) => args[argument]?.type === "positional")
        .at(-1);
      return repeats ? usage.replace(`<${last?.toUpperCase()}>`, "$&…") : usage;
    },
    async execute(raw) {
      checkArguments(raw, args, repeats);
      await runCommand(definition, { rawArgs: [...raw] });
    },
  };
}
