import type { NodeEvents } from '#libs/broker-ports';
import type { Connection } from './connection.ts';
import type { ConnectionEnd } from './explanation.ts';
import type { SessionEntry } from './session-entry.ts';

const VERSIONS = { 3: '3.1', 4: '3.1.1', 5: '5' } as const;

/** Tells of clients and their sessions as they come and go. */
export class ClientEvents {
  readonly #events: NodeEvents | undefined;

  constructor({ events }: { readonly events?: NodeEvents | undefined }) {
    this.#events = events;
  }

  connected(entry: SessionEntry, isResumed: boolean): void {
    if (this.#events === undefined) return;
    const { clientId, client, terms } = entry;
    this.#events.emit({
      type: 'client.connected',
      clientId,
      detail: {
        username: client?.username ?? null,
        listener: client?.listener ?? null,
        remote_address: client?.remoteAddress ?? null,
        mqtt_version: terms === undefined ? null : VERSIONS[terms.version],
        clean_start: terms?.cleanStart ?? false,
        keep_alive_seconds: terms?.keepAliveSeconds ?? 0,
      },
    });
    const type = isResumed ? 'session.resumed' : 'session.created';
    this.#events.emit({ type, clientId, detail: { durable: entry.durable } });
  }

  disconnected(connection: Connection, { initiator, reason }: ConnectionEnd): void {
    const { client } = connection;
    if (this.#events === undefined || client === undefined) return;
    const { clientId, username = null, listener } = client;
    const detail = { username, listener, initiator, reason };
    this.#events.emit({ type: 'client.disconnected', clientId, detail });
  }

  sessionEnded({ clientId }: SessionEntry, reason: 'discarded' | 'expired'): void {
    this.#events?.emit({ type: 'session.ended', clientId, detail: { reason } });
  }
}
