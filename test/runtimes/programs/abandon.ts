/** A program that forgets to stop its threads, and must end all the same. */

import { createThreadedEngine } from "crcnn/math";

const { threads } = await createThreadedEngine({ threads: 2 });
console.log(threads);
