import type { NodeInfo } from '#libs/broker-ports';

/** Writes a lease. The scripts find the incarnation by its text, so it is never the last field. */
export function encodeLease(info: NodeInfo): string {
  const { incarnation, version, startedAtMs, state } = info;
  return JSON.stringify({ incarnation, version, startedAtMs, state });
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
  const { incarnation, version, startedAtMs, state } = value as Record<string, unknown>;
  if (typeof incarnation !== 'number' || typeof startedAtMs !== 'number') return undefined;
  if (typeof version !== 'string' || (state !== 'alive' && state !== 'draining')) return undefined;
  return { nodeId, incarnation, version, startedAtMs, state };
}

/** Reads JSON from outside; undefined when it is malformed. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
