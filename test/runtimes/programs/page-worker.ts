import { classify } from "./lenet1.ts";

addEventListener("message", async ({ data }) => {
  try {
    const response = await fetch("/input.json");
    postMessage({ report: await classify(await response.json(), data, "/model.pt") });
  } catch (error) {
    postMessage({ error: String(error) });
  }
});
