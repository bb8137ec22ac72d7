/** Laps of time. */

/** Milliseconds since the last call, or since it was made. */
export function stopwatch(): () => number {
  let start = performance.now();
  return () => {
    const elapsed = performance.now() - start;
    start += elapsed;
    return elapsed;
  };
}
