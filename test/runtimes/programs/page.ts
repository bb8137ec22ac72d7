/** The page's script: runs the program on the main thread or in a worker of its own, as the test asks. */

import { die } from "./die.ts";
import { classify, type Options, type Report } from "./lenet1.ts";

async function inWorker(options: Options): Promise<Report> {
  const worker = new Worker(new URL("./page-worker.ts", import.meta.url), { type: "module" });
  try {
    return await new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message));
      worker.onmessage = ({ data }) => ("report" in data ? resolve(data.report) : reject(new Error(data.error)));
      worker.postMessage(options);
    });
  } finally {
    worker.terminate();
  }
}

async function onMainThread(options: Options): Promise<Report> {
  const response = await fetch("/input.json");
  return classify(await response.json(), options, "/model.pt");
}

const PLACES = { inWorker, onMainThread };
Object.assign(globalThis, { ...PLACES, die });

/** Where no one drives the browser, the address holds the wish, and the answer is posted. */
const [, place, options] = /^#(inWorker|onMainThread)=(.*)$/.exec(location.hash) ?? [];
if (place && options) {
  const answer = await PLACES[place as keyof typeof PLACES](JSON.parse(decodeURIComponent(options))).catch(String);
  await fetch("/", { method: "POST", body: JSON.stringify(answer) });
}
