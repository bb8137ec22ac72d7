/** Two threads whose next task leaves the memory: what a program learns of it. */

import { CrcnnError } from "crcnn/errors";
import { createThreadedEngine, findNttPrimes, modulus } from "crcnn/math";

const BEYOND = 2 ** 29;
const PATIENCE = 50;

/** The name of the error that the calling thread got, the threads that were left, and the code of the error afterwards. */
export async function die(): Promise<string> {
  const engine = await createThreadedEngine({ threads: 2 });
  const field = modulus(findNttPrimes(1024, [30])[0]!);
  // One task for each thread: the caller's ends in an exception, and then it takes no other.
  const attempt = (): string => {
    try {
      engine.parallel(2, () => engine.kernels.add(BEYOND, BEYOND, BEYOND, 1024, field));
      return "none";
    } catch (error) {
      return error instanceof CrcnnError ? error.code : (error as Error).constructor.name;
    }
  };
  const first = attempt();
  for (let wait = 0; engine.threads > 1 && wait < PATIENCE; wait++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return `${first}, ${engine.threads}, ${attempt()}`;
}
