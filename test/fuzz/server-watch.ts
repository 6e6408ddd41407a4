import {
  PacketDecoder,
  type AckPacket,
  type Packet,
  type ProtocolVersion,
  type PublishPacket,
} from '#libs/mqtt-codec';
import { matches, parseShare } from '#libs/topic-index';
import type { ClientMemory } from './client-memory.ts';

/** What a client allows its server. */
export interface ClientTerms {
  readonly clientId: string;
  readonly cleanStart: boolean;
  readonly receiveMaximum: number;
  readonly packetBytesMax: number;
  readonly topicAliasMaximum: number;
}

/** Publishes what nobody may expect in order: a will, or a client without an id of its own. */
export const SOMEBODY = 'somebody';

/** What is known of messages in all of a sequence. */
export interface SharedTexts {
  /** Texts that a client has sent a second time: they may come late. */
  readonly repeated: Set<string>;
  /** Texts of QoS 2 that the server has refused. */
  readonly refused: Set<string>;
}

type Question = 'pingresp' | 'puback' | 'pubrec' | 'pubcomp' | 'suback' | 'unsuback';

/** A QoS 1 or 2 message that the client has and has not finished. */
export interface OpenMessage {
  readonly qos: 1 | 2;
  readonly text: string;
  /** Whether PUBREC was sent. */
  isReceived: boolean;
  /** Whether the server may take it for finished: a wrong acknowledgement was under way to it. */
  readonly isForetold: boolean;
}

/** Watches what a server sends on one connection, and throws at what MQTT does not allow. */
export class ServerWatch {
  readonly version: ProtocolVersion;
  terms: ClientTerms | undefined;
  memory: ClientMemory | undefined;
  /** QoS 1 and 2 messages that the client has and has not finished, by packet id. */
  readonly open = new Map<number, OpenMessage>();
  /** How often the client has acknowledged a packet id that it did not have: what comes with it may be finished. */
  readonly foretold = new Map<number, number>();
  /** Packet ids of PUBREL packets that were not answered. */
  readonly released: number[] = [];
  isConnected = false;
  /** Whether the server has said its last word. */
  isOver = false;
  readonly #world: SharedTexts;
  readonly #decoder = new PacketDecoder({ packetBytesMax: 268_435_455 });
  readonly #asked = new Map<string, number[]>();
  readonly #aliases = new Map<number, string>();
  readonly #lastSeen = new Map<string, number>();

  constructor(version: ProtocolVersion, world: SharedTexts) {
    this.version = version;
    this.#world = world;
    this.#decoder.version = version;
  }

  /** The client has asked something; `filters` is how many reason codes the answer has. */
  asked(question: Question, packetId: number, filters = 0): void {
    const key = `${question} ${String(packetId)}`;
    this.#asked.set(key, [...(this.#asked.get(key) ?? []), filters]);
  }

  /** Bytes from the server; gives the packets, each checked when the next one is asked for. */
  *received(chunk: Uint8Array): IterableIterator<Packet> {
    this.#decoder.push(chunk);
    for (;;) {
      const before = this.#decoder.bufferedBytes;
      const packet = this.#decoder.read();
      if (packet === undefined) return;
      if (packet.kind === 'failure') throw new Error(`the server sent no MQTT: ${packet.message}`);
      const bytes = before - this.#decoder.bufferedBytes;
      yield packet;
      this.#packet(packet, bytes);
    }
  }

  #packet(packet: Packet, bytes: number): void {
    const { terms } = this;
    if (terms === undefined) throw new Error(`${packet.kind} before CONNECT`);
    if (this.isOver) throw new Error(`${packet.kind} after the end [MQTT-3.14.4-1]`);
    if (bytes > terms.packetBytesMax)
      throw new Error(`${packet.kind} is too large [MQTT-3.1.2-24]`);
    if (packet.kind !== 'connack' && !this.isConnected) {
      throw new Error(`${packet.kind} before CONNACK [MQTT-3.2.0-1]`);
    }
    switch (packet.kind) {
      case 'connack':
        return this.#connack(packet.reasonCode, packet.sessionPresent);
      case 'publish':
        return this.#publish(packet, terms);
      case 'pubrec':
        return this.#pubrec(packet);
      case 'puback':
      case 'pubcomp':
        return this.#answer(packet.kind, packet.packetId);
      case 'pubrel':
        this.released.push(packet.packetId);
        return this.#pubrel(packet.packetId);
      case 'suback':
      case 'unsuback':
        return this.#answer(packet.kind, packet.packetId, packet.reasonCodes.length);
      case 'pingresp':
        return this.#answer('pingresp', 0);
      case 'disconnect':
        if (this.version < 5) throw new Error('DISCONNECT before MQTT 5');
        this.isOver = true;
        return;
      case 'connect':
      case 'subscribe':
      case 'unsubscribe':
      case 'pingreq':
      case 'auth':
        throw new Error(`${packet.kind} from a server`);
    }
  }

  #connack(reasonCode: number, sessionPresent: boolean): void {
    if (this.isConnected) throw new Error('a second CONNACK [MQTT-3.2.0-2]');
    if (reasonCode !== 0 && sessionPresent)
      throw new Error('a session that is refused [MQTT-3.2.2-6]');
    if (this.terms?.cleanStart === true && sessionPresent) {
      throw new Error('a session in spite of Clean Start [MQTT-3.2.2-2]');
    }
    this.isConnected = reasonCode === 0;
    this.isOver = reasonCode !== 0;
    if (reasonCode !== 0) return;
    // MQTT 3.1 does not tell: what the client knows may still be true, but it starts no exchange again.
    const mayBePresent = this.version === 3 && this.terms?.cleanStart === false;
    if (mayBePresent) this.memory?.unanswered.clear();
    else this.memory?.connected(sessionPresent);
  }

  #answer(question: Question, packetId: number, filters = 0): void {
    const asked = this.#asked.get(`${question} ${String(packetId)}`) ?? [];
    const place = question === 'unsuback' && this.version < 5 ? 0 : asked.indexOf(filters);
    if (asked[place] === undefined) throw new Error(`${question} ${String(packetId)} unasked`);
    asked.splice(place, 1);
  }

  #pubrec({ packetId, reasonCode }: AckPacket): void {
    const message = this.memory?.unanswered.get(packetId);
    // Refused for lateness, it may come yet; a repeat that crossed the refusal is another message then.
    if (reasonCode >= 0x80 && message !== undefined) this.#world.refused.add(message.text);
    this.memory?.unanswered.delete(packetId);
    this.#answer('pubrec', packetId);
  }

  #pubrel(packetId: number): void {
    if (this.memory?.recorded.has(packetId) !== true) {
      throw new Error(`PUBREL ${String(packetId)} without PUBREC [MQTT-4.3.3-4]`);
    }
  }

  #publish(packet: PublishPacket, terms: ClientTerms): void {
    const topic = this.#topicOf(packet, terms);
    const text = Buffer.from(packet.payload).toString();
    const { memory } = this;
    if (memory === undefined) throw new Error('a message without a session');
    const fitting = memory.filters.filter(({ filter }) =>
      matches(parseShare(filter)?.filter ?? filter, topic),
    );
    if (fitting.length === 0) throw new Error(`${topic} was not subscribed to [MQTT-3.3.2-3]`);
    for (const identifier of packet.properties?.subscriptionIdentifiers ?? []) {
      const isKnown = fitting.some((subscription) => subscription.identifier === identifier);
      if (!isKnown) throw new Error(`identifier ${String(identifier)} of another subscription`);
    }
    if (packet.qos > 0) this.#opened(packet, text, terms);
    const isShared = fitting.some(({ filter }) => filter.startsWith('$share/'));
    if (!packet.dup && !packet.retain && !isShared) this.#order(packet, topic, text);
    if (packet.qos === 2) this.#onlyOnce(packet, text, { isShared, memory });
  }

  #topicOf({ topic, properties }: PublishPacket, terms: ClientTerms): string {
    const alias = properties?.topicAlias;
    if (alias === undefined) return topic;
    if (alias > terms.topicAliasMaximum)
      throw new Error('an alias above the maximum [MQTT-3.1.2-26]');
    if (topic !== '') this.#aliases.set(alias, topic);
    const known = this.#aliases.get(alias);
    if (known === undefined) throw new Error('an alias that was not set');
    return known;
  }

  #opened({ packetId, qos }: PublishPacket, text: string, terms: ClientTerms): void {
    if (this.open.get(packetId)?.isForetold === false) {
      throw new Error('a packet id in use [MQTT-2.2.1-4]');
    }
    const foretold = this.foretold.get(packetId) ?? 0;
    this.foretold.set(packetId, Math.max(foretold - 1, 0));
    const isForetold = foretold > 0;
    this.open.set(packetId, { qos: qos === 2 ? 2 : 1, text, isReceived: false, isForetold });
    const inFlight = [...this.open.values()].filter((exchange) => !exchange.isForetold);
    if (inFlight.length > terms.receiveMaximum) {
      throw new Error('the window is exceeded [MQTT-3.3.4-9]');
    }
  }

  /**
   * Messages are `publisher number qos`; numbers of one publisher grow for each QoS that it has published and that is
   * delivered [MQTT-4.6.0-5].
   */
  #order({ qos }: PublishPacket, topic: string, text: string): void {
    const [publisher = '', number = '', published = ''] = text.split(' ');
    if (publisher === SOMEBODY || text === '' || this.#world.repeated.has(text)) return;
    const key = `${publisher} ${topic} ${published} ${String(qos)}`;
    if (Number(number) < (this.#lastSeen.get(key) ?? 0)) throw new Error(`${text} is out of order`);
    this.#lastSeen.set(key, Number(number));
  }

  #onlyOnce(
    { packetId, retain }: PublishPacket,
    text: string,
    { isShared, memory }: { readonly isShared: boolean; readonly memory: ClientMemory },
  ): void {
    // A packet id that is not released yet marks a repeat, whatever DUP says [MQTT-4.3.3-10].
    if (memory.unreleased.has(packetId)) return;
    memory.unreleased.add(packetId);
    if (retain || isShared || text === '' || this.#world.refused.has(text)) return;
    if (memory.onlyOnce.has(text)) throw new Error(`${text} came twice with QoS 2`);
    memory.onlyOnce.add(text);
  }
}
