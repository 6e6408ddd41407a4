import type { Bridge } from '#libs/broker-ports';
import { messageOf } from './messages.ts';

/** Messages that clients publish side by side, each its own in order. */
export interface OutboundLoad {
  readonly clients: number;
  /** Of each client. */
  readonly messages: number;
}

/** Publishes that one client does not wait for. */
const WINDOW = 10;
let sequence = 0;

/**
 * Offers messages to a bridge as clients would: payloads are `client/number`, topics `devices/client/telemetry`.
 *
 * @returns a promise that resolves when each is acknowledged, and rejects when one is not.
 */
export async function offerLoad(bridge: Bridge, load: OutboundLoad): Promise<void> {
  const clients = Array.from({ length: load.clients }, (_, client) =>
    publishAll(bridge, `c${client}`, load.messages),
  );
  await Promise.all(clients);
}

function publishAll(bridge: Bridge, publisher: string, messages: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let offered = 0;
    let acknowledged = 0;
    const offer = (): void => {
      sequence += 1;
      const message = messageOf({
        topic: `devices/${publisher}/telemetry`,
        publisher,
        sequence,
        payload: Buffer.from(`${publisher}/${offered}`),
        receivedAtMs: Date.now(),
      });
      offered += 1;
      bridge.offer(message, (error) => {
        if (error !== undefined) return reject(error);
        acknowledged += 1;
        if (acknowledged === messages) resolve();
        else if (offered < messages) setImmediate(offer);
      });
    };
    for (let first = 0; first < Math.min(WINDOW, messages); first += 1) offer();
  });
}

/** What arrived of offerLoad(), by client: each number where it came first, so a repeat in order shows nowhere. */
export function clientSequences(values: readonly string[]): Readonly<Record<string, number[]>> {
  const sequences: Record<string, number[]> = {};
  for (const value of new Set(values)) {
    const [client = '', number] = value.split('/');
    (sequences[client] ??= []).push(Number(number));
  }
  return sequences;
}
