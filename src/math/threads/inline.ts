/** No threads: where none can be started, everything runs on the calling one. */

import type { StartWorkers } from "./start.ts";

export const startWorkers: StartWorkers | undefined = undefined;

export const processors: () => number = () => 1;
