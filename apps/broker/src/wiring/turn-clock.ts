/**
 * The time of an event-loop turn, in milliseconds since 1970: read once, when the turn first asks for it.
 *
 * @remarks A message asks for the time up to four times, and reading it costs as much as routing the message. What
 * happens within one turn happens at the same time.
 */
export function turnClock(): () => number {
  let turnMs = 0;
  const end = (): void => {
    turnMs = 0;
  };
  return () => {
    if (turnMs === 0) {
      turnMs = Date.now();
      setImmediate(end);
    }
    return turnMs;
  };
}
