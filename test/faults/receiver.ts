import { REASON, type ConnackPacket, type Packet, type PublishPacket } from '#libs/mqtt-codec';
import type { Link, Role } from './device.ts';
import type { ReceiverEvent, ReceiverHistory } from './history.ts';
import { decodeNumbers } from './payload.ts';

/** What a receiver subscribes to, with QoS 2. */
export interface ReceiverOptions {
  readonly name: string;
  readonly isLive: boolean;
  readonly filters: readonly string[];
  readonly wants: (publisher: number) => boolean;
  /** Milliseconds of one clock. @defaultValue that of the process */
  readonly nowMs?: () => number;
}

/** Acknowledges what it gets and writes it down. */
export class Receiver implements Role, ReceiverHistory {
  readonly name: string;
  readonly isLive: boolean;
  readonly wants: (publisher: number) => boolean;
  readonly events: ReceiverEvent[] = [];
  isSubscribed = false;
  /** How often the broker did not know its session any more. */
  sessionsLost = 0;
  /** Connections so far. */
  connections = 0;
  /** Connections that answered a ping since the last look. */
  readonly pongs = new Set<Link>();
  lastArrivalAtMs = 0;
  readonly #filters: readonly string[];
  readonly #nowMs: () => number;
  /** Those that may be open, in order. */
  readonly #links: Link[] = [];
  readonly #connectionOf = new WeakMap<Link, number>();
  /** By publisher: the numbers that have come. */
  readonly #seen = new Map<number, Set<number>>();

  constructor({ name, isLive, filters, wants, nowMs }: ReceiverOptions) {
    this.#nowMs = nowMs ?? (() => performance.now());
    this.name = name;
    this.isLive = isLive;
    this.wants = wants;
    this.#filters = filters;
  }

  /** Whether a message has come. */
  has(publisher: number, number: number): boolean {
    return this.#seen.get(publisher)?.has(number) ?? false;
  }

  connected(link: Link, { sessionPresent }: ConnackPacket): void {
    this.connections += 1;
    this.#connectionOf.set(link, this.connections);
    this.#links.push(link);
    if (sessionPresent) return;
    if (this.isSubscribed) this.sessionsLost += 1;
    this.events.push({ kind: 'renewal' });
    link.send({
      kind: 'subscribe',
      packetId: 1,
      subscriptions: this.#filters.map((filter) => ({
        filter,
        qos: 2,
        noLocal: false,
        retainAsPublished: false,
        retainHandling: 0,
      })),
    });
  }

  /**
   * What an earlier connection brings while a later one is open is not heard: the session has moved. If it has not, since the later
   * one was overtaken on its way, it has to come back: the earlier one ends.
   */
  received(link: Link, packet: Packet): void {
    if (packet.kind === 'pingresp') this.pongs.add(link);
    if (link !== this.#latest()) {
      if (packet.kind === 'publish') link.abandon();
      return;
    }
    if (packet.kind === 'publish') this.#arrived(link, packet);
    else if (packet.kind === 'suback') this.isSubscribed = true;
    else if (packet.kind === 'pubrel') {
      const { packetId } = packet;
      this.events.push({ kind: 'release', packetId });
      link.send({ kind: 'pubcomp', packetId, reasonCode: REASON.success });
    }
  }

  #latest(): Link | undefined {
    while (this.#links.length > 1 && this.#links.at(-1)?.isConnected === false) this.#links.pop();
    return this.#links.at(-1);
  }

  #arrived(link: Link, { qos, dup, packetId, payload }: PublishPacket): void {
    const { publisher, number } = decodeNumbers(payload);
    const atMs = this.#nowMs();
    const connection = this.#connectionOf.get(link) ?? 0;
    const numbers = { publisher, number, packetId, connection };
    this.events.push({ kind: 'arrival', qos, dup, atMs, ...numbers });
    this.lastArrivalAtMs = atMs;
    let seen = this.#seen.get(publisher);
    if (seen === undefined) this.#seen.set(publisher, (seen = new Set()));
    seen.add(number);
    if (qos === 0) return;
    const kind = qos === 1 ? 'puback' : 'pubrec';
    link.send({ kind, packetId, reasonCode: REASON.success });
  }
}
