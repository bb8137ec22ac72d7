/** Node, Deno and Bun: the options are the first argument, the report goes to standard output. */

import { readFileSync } from "node:fs";
import { classify } from "./lenet1.ts";

const input = JSON.parse(readFileSync("input.json", "utf8"));
console.log(JSON.stringify(await classify(input, JSON.parse(process.argv[2]!), "model.pt")));
