/** A client that tells its progress, for the commands that talk to a server. */

import { type ClientProgress, type ClientSession, type ClientStep, createClient } from "../client/index.ts";
import { formatBytes, formatMilliseconds, formatParameters } from "./format.ts";
import type { ImageSet } from "./images.ts";
import type { Progress, Step } from "./progress.ts";

const TITLES: Readonly<Record<ClientStep, string>> = {
  plan: "Asking the server for a plan",
  keys: "Making keys",
  upload: "Sending evaluation keys",
  encrypt: "Encrypting",
  evaluate: "The server evaluates",
  decrypt: "Decrypting",
};

/** Shows the steps that a client takes. */
export function reportSteps(progress: Progress): (progress: ClientProgress) => void {
  let current: { readonly name: ClientStep; readonly shown: Step; readonly from: number } | undefined;
  return ({ step, done, total }) => {
    // What happens to each image is told by its result.
    if (step !== "plan" && step !== "keys" && step !== "upload") return;
    if (current?.name !== step) current = { name: step, shown: progress.step(TITLES[step]), from: performance.now() };
    if (done < total) {
      if (done > 0) current.shown.update(done, total);
      return;
    }
    current.shown.done(formatMilliseconds(performance.now() - current.from));
    current = undefined;
  };
}

/** Opens a session for images, showing its steps. */
export async function openRemote(
  server: string,
  model: string,
  { shape, inputRange }: ImageSet,
  progress: Progress,
): Promise<ClientSession> {
  return createClient({ server, onProgress: reportSteps(progress) }).open(model, { inputShape: shape, inputRange });
}

/** What a session's start came to. */
export function describeSetup({ manifest, setup }: ClientSession): string {
  const { rotations, relinearization } = manifest.keys;
  const count = rotations.length + (relinearization >= 0 ? 1 : 0);
  const { plan, keys, upload } = setup.milliseconds;
  return (
    `parameters  ${formatParameters(manifest)}\n` +
    `keys        ${count} evaluation keys, ${formatBytes(setup.bytes.up)} sent; the secret key stays here\n` +
    `times       plan ${formatMilliseconds(plan)}, making keys ${formatMilliseconds(keys)}, sending them ${formatMilliseconds(upload)}\n`
  );
}
