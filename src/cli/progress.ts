/** Progress on standard error: a spinner on a terminal, plain lines elsewhere. Standard output is for results alone. */

import { spinner } from "@clack/prompts";

export interface Step {
  update(done: number, total: number): void;
  /** Ends the step with a line that says what came of it. */
  done(line: string): void;
}

export interface Progress {
  /** Begins a step, which must be ended before the next one begins. */
  step(title: string): Step;
  /** Takes a step that did not come to its end off the screen. */
  abandon(): void;
}

/** The exit code of shells for a program that SIGINT ended. */
const INTERRUPTED = 130;

function plainProgress(): Progress {
  return {
    step: (title) => ({
      update() {},
      done: (line) => void process.stderr.write(`${title}: ${line}\n`),
    }),
    abandon() {},
  };
}

/** A spinner reads the terminal, sees Ctrl-C there as a key, and then ends the process as if all had gone well. */
function interrupted(code: number): void {
  if (code === 0) process.exitCode = INTERRUPTED;
}

function terminalProgress(): Progress {
  let running: ReturnType<typeof spinner> | undefined;
  const ended = (): void => {
    running = undefined;
    process.off("exit", interrupted);
  };
  return {
    step(title) {
      // While it spins, it also catches the signals that would end the process.
      const shown = spinner({ output: process.stderr, onCancel: () => process.exit(INTERRUPTED) });
      running = shown;
      process.on("exit", interrupted);
      shown.start(title);
      return {
        update: (done, total) => shown.message(`${title} (${done} of ${total})`),
        done(line) {
          shown.stop(`${title}: ${line}`);
          ended();
        },
      };
    },
    abandon() {
      running?.clear();
      ended();
    },
  };
}

export function createProgress(): Progress {
  const { NO_COLOR, TERM } = process.env;
  const { isTTY, columns } = process.stderr;
  return isTTY && columns > 0 && !NO_COLOR && TERM !== "dumb" ? terminalProgress() : plainProgress();
}

/** Lets a spinner paint itself before synchronous work begins. */
export function paint(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, process.stderr.isTTY ? 100 : 0));
}
