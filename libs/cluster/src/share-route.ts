const SEPARATOR = '\0';
const PREFIX = '$share/';

/** How much of a shared subscription is at a node. */
export interface ShareRoute {
  /** The whole filter, `$share/group/` included. */
  readonly filter: string;
  /** How many members are connected there, rounded down to a power of two; 0 when all of them are away. */
  readonly weight: number;
}

/**
 * The route of a shared subscription, as nodes announce it: the whole filter, U+0000, and the weight.
 *
 * @remarks No filter holds U+0000 [MQTT-4.7.3-2]. Powers of two keep a group that grows by one member after the other from
 * being announced each time.
 *
 * @param filter - the whole filter, `$share/group/` included.
 * @param connected - how many of its members are connected.
 */
export function shareRoute(filter: string, connected: number): string {
  return filter + SEPARATOR + String(shareWeight(connected));
}

/** The weight of so many connected members. */
export function shareWeight(connected: number): number {
  return connected === 0 ? 0 : 2 ** Math.floor(Math.log2(connected));
}

/** Takes the route of a shared subscription apart; undefined for a plain filter and for anything else. */
export function parseShareRoute(route: string): ShareRoute | undefined {
  if (!route.startsWith(PREFIX)) return undefined;
  const end = route.lastIndexOf(SEPARATOR);
  if (end === -1) return undefined;
  const weight = Number(route.slice(end + 1));
  if (!Number.isSafeInteger(weight) || weight < 0) return undefined;
  return { filter: route.slice(0, end), weight };
}
