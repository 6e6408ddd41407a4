import { REASON, type AckPacket, type ConnackPacket, type Packet } from '#libs/mqtt-codec';
import type { Link, Role } from './device.ts';
import type { Publication } from './history.ts';
import { encodeNumbers, topicOf } from './payload.ts';

/** Messages sent and not yet finished. */
const WINDOW = 100;
const PACKET_IDS = 65_535;
const REFUSED = 0x80;

interface Exchange {
  readonly publication: Publication;
  isReleased: boolean;
}

/**
 * Publishes numbered messages on a topic of its own when they are due, or as soon as it can. What was not acknowledged
 * when its connection ended is sent again with DUP on the next one, in the same order; PUBREL where PUBREC had come.
 */
export class Publisher implements Role {
  readonly index: number;
  readonly qos: 1 | 2;
  readonly publications: Publication[] = [];
  /** How often the broker did not know its session any more. */
  sessionsLost = 0;
  #link: Link | undefined;
  #sent = 0;
  #lastId = 0;
  /** By packet id, in the order of sending. */
  readonly #open = new Map<number, Exchange>();
  readonly #nowMs: () => number;

  constructor(index: number, qos: 1 | 2, nowMs = () => performance.now()) {
    this.index = index;
    this.qos = qos;
    this.#nowMs = nowMs;
  }

  /** Everything that was due has its answer. */
  get isIdle(): boolean {
    return this.#sent === this.publications.length && this.#open.size === 0;
  }

  /** Another message is due. */
  due(dueAtMs: number): void {
    this.publications.push({
      publisher: this.index,
      number: this.publications.length,
      qos: this.qos,
      dueAtMs,
      sends: 0,
      acknowledgedAtMs: undefined,
      refusal: undefined,
    });
  }

  /** Sends what is due and has room. */
  pump(): void {
    const link = this.#link;
    if (link?.isConnected !== true) return;
    while (this.#open.size < WINDOW && this.#sent < this.publications.length) {
      const publication = this.publications[this.#sent];
      if (publication === undefined) return;
      this.#sent += 1;
      const packetId = this.#nextId();
      this.#open.set(packetId, { publication, isReleased: false });
      this.#send(link, packetId, publication);
    }
  }

  connected(link: Link, { sessionPresent }: ConnackPacket): void {
    this.#link = link;
    if (!sessionPresent && link.connections > 1) this.sessionsLost += 1;
    for (const [packetId, { publication, isReleased }] of this.#open) {
      if (isReleased) link.send({ kind: 'pubrel', packetId, reasonCode: REASON.success });
      else this.#send(link, packetId, publication);
    }
    this.pump();
  }

  received(link: Link, packet: Packet): void {
    if (packet.kind === 'puback' || packet.kind === 'pubrec') this.#answered(link, packet);
    else if (packet.kind === 'pubcomp') this.#open.delete(packet.packetId);
    this.pump();
  }

  #answered(link: Link, { kind, packetId, reasonCode }: AckPacket): void {
    const exchange = this.#open.get(packetId);
    if (exchange === undefined) return;
    const { publication } = exchange;
    if (reasonCode >= REFUSED) publication.refusal = reasonCode;
    else publication.acknowledgedAtMs ??= this.#nowMs();
    if (kind === 'puback' || reasonCode >= REFUSED) {
      this.#open.delete(packetId);
      return;
    }
    exchange.isReleased = true;
    link.send({ kind: 'pubrel', packetId, reasonCode: REASON.success });
  }

  #send(link: Link, packetId: number, publication: Publication): void {
    publication.sends += 1;
    link.send({
      kind: 'publish',
      dup: publication.sends > 1,
      qos: this.qos,
      retain: false,
      topic: topicOf(this.index),
      packetId,
      payload: encodeNumbers(this.index, publication.number),
    });
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId % PACKET_IDS) + 1;
    while (this.#open.has(this.#lastId));
    return this.#lastId;
  }
}
