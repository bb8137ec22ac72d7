/** Timers that nothing waits for. */

export type Timer = ReturnType<typeof setTimeout>;

/** A timer that does not keep a process alive which has nothing else to do. */
export function startTimer(milliseconds: number, onEnd: () => void): Timer {
  const timer: unknown = setTimeout(onEnd, milliseconds);
  // Timers are objects on Node; elsewhere they are numbers.
  if (typeof timer === "object") (timer as { unref?(): void }).unref?.();
  return timer as Timer;
}
