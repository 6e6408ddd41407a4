import type { WireNodeEvent } from '#libs/api-contracts';

/** An event as the API shows it. */
export function presentEvent(
  node: string,
  event: WireNodeEvent,
): Readonly<Record<string, unknown>> {
  const { type, atMs, clientId, detail } = event;
  const about = clientId === undefined ? {} : { client_id: clientId };
  return { type, time: new Date(atMs).toISOString(), node, ...about, ...detail };
}
