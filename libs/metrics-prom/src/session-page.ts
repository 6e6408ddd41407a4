import { Gauge, Registry } from 'prom-client';
import { expose, type Exposition } from './exposition.ts';

/** What there is to tell about a session. */
export interface SessionFigures {
  readonly clientId: string;
  readonly state: 'connected' | 'disconnected';
  readonly createdAtMs: number;
  readonly subscriptionCount: number;
  readonly queueMessages: number;
  readonly queueBytes: number;
  readonly inflightMessages: number;
  readonly unsentBytes: number;
  readonly deliveryDelayMs: number | undefined;
}

/** Of `/metrics/detailed` alone: their label is a client's, so no scrape may have them. */
const FIGURES: readonly (readonly [
  name: string,
  help: string,
  of: (session: SessionFigures) => number | undefined,
])[] = [
  [
    'connected',
    'Whether the client is connected, 0 or 1.',
    ({ state }) => Number(state === 'connected'),
  ],
  [
    'created_timestamp_seconds',
    'When the session has begun.',
    ({ createdAtMs }) => createdAtMs / 1_000,
  ],
  ['subscriptions', 'Subscriptions of the session.', ({ subscriptionCount }) => subscriptionCount],
  ['queue_messages', 'Messages that wait for the client.', ({ queueMessages }) => queueMessages],
  ['queue_bytes', 'Bytes of these messages.', ({ queueBytes }) => queueBytes],
  [
    'inflight_messages',
    'Messages that the client has not acknowledged.',
    ({ inflightMessages }) => inflightMessages,
  ],
  [
    'unsent_bytes',
    'Bytes that wait for the socket to take them.',
    ({ unsentBytes }) => unsentBytes,
  ],
  [
    'delivery_delay_seconds',
    'How long messages took of late; absent before the first.',
    ({ deliveryDelayMs }) => deliveryDelayMs && deliveryDelayMs / 1_000,
  ],
];

/** One session in figures, for whoever looks for the cause of something; rendered as a scrape is. */
export async function exposeSession(session: SessionFigures, accept?: string): Promise<Exposition> {
  const registry = new Registry();
  for (const [name, help, of] of FIGURES) {
    const value = of(session);
    if (value === undefined) continue;
    const gauge = new Gauge({
      ...{ name: `skein_broker_session_${name}`, help, labelNames: ['client_id'] },
      registers: [registry],
    });
    gauge.set({ client_id: session.clientId }, value);
  }
  return await expose(registry, accept);
}
