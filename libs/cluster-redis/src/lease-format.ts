import type { NodeInfo, SessionCount } from '#libs/broker-ports';

/** Connected or not, and persistent or not. */
const KINDS_OF_SESSIONS = 4;

/** Writes a lease. The scripts find the incarnation by its text, so it is never the last field. */
export function encodeLease(info: NodeInfo): string {
  const { incarnation, version, startedAtMs, sessions, state } = info;
  return JSON.stringify({ incarnation, version, startedAtMs, sessions, state });
}

/**
 * Reads a lease.
 *
 * @returns undefined when there is none, or what is there is none.
 */
export function decodeLease(nodeId: string, text: string | null): NodeInfo | undefined {
  if (text === null) return undefined;
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const { incarnation, version, startedAtMs, state, sessions } = value as Record<string, unknown>;
  if (typeof incarnation !== 'number' || typeof startedAtMs !== 'number') return undefined;
  if (typeof version !== 'string' || (state !== 'alive' && state !== 'draining')) return undefined;
  const counts = sessionsOf(sessions);
  return {
    ...{ nodeId, incarnation, version, startedAtMs, state },
    ...(counts !== undefined && { sessions: counts }),
  };
}

function sessionsOf(value: unknown): readonly SessionCount[] | undefined {
  if (!Array.isArray(value) || value.length > KINDS_OF_SESSIONS) return undefined;
  const counts = value.map((each: unknown) => {
    const { state, persistent, count } = (each ?? {}) as Readonly<Record<string, unknown>>;
    if (state !== 'connected' && state !== 'disconnected') return undefined;
    if (typeof persistent !== 'boolean' || typeof count !== 'number') return undefined;
    return { state, persistent, count } satisfies SessionCount;
  });
  const known = counts.filter((each) => each !== undefined);
  return known.length === counts.length ? known : undefined;
}

/** Reads JSON from outside; undefined when it is malformed. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
