const PATIENCE_MS = 10_000;
const PAUSE_MS = 100;

/** The address at which a client on this machine reaches one who listens on `host`. */
export const reachable = (host) => (host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host);

/** Host and port as a client on this machine writes them. */
export function authority({ host, port }) {
  const name = reachable(host);
  return `${name.includes(':') ? `[${name}]` : name}:${port}`;
}

/**
 * Waits until a process says on its ops port that it is ready; false when `ended` comes first.
 *
 * A process may take long for a reason, such as a Redis that is away: every ten seconds that is said. A port that
 * the system chose cannot be asked; the process counts as ready at once and its log tells the port.
 */
export async function awaitReady(name, { host, port }, ended) {
  if (port === 0) return true;
  const url = `http://${authority({ host, port })}/healthz/ready`;
  let over = false;
  void ended.then(() => (over = true));
  let patience = performance.now() + PATIENCE_MS;
  while (!over) {
    const status = await statusOf(url);
    if (status === 200) return true;
    if (performance.now() > patience) {
      patience += PATIENCE_MS;
      const answer = status === undefined ? 'does not answer' : `answers ${status}`;
      console.log(`waiting for ${name}: ${url} ${answer}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return false;
}

async function statusOf(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return response.status;
  } catch {
    return undefined;
  }
}
