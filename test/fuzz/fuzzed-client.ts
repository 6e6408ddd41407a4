import type { MemoryNode } from '#libs/testkit';
import {
  encodePacket,
  type AckPacket,
  type ConnectPacket,
  type Packet,
  type ProtocolVersion,
  type PublishPacket,
  type QoS,
} from '#libs/mqtt-codec';
import type { ClientMemory } from './client-memory.ts';
import type { Random } from './random.ts';
import { SOMEBODY, ServerWatch, type SharedTexts } from './server-watch.ts';

const TOPICS = ['a', 'a/b', 'a/c', 'b', '/', 'a//b', '$x/a', 'long/topic/name', '$delayed/1/a'];
const FILTERS = ['#', '+', 'a/#', '+/b', 'a', 'a/b', '/', '$x/#', '$share/g/a/#', 'a//+', 'long/#'];
const BAD_FILTERS = ['', 'a#', '+a', '$share/g', '$share//a', 'a/#/b'];
const MALFORMED = ['0000', 'f100', '3600', '8200', 'c0808080800100', '300300', '3200'];
const FROZEN_BYTES = 1_000_000;
const IDS = 12;

/** What several connections of a sequence share. */
export interface FuzzedWorld extends SharedTexts {
  readonly memory: MemoryNode;
  readonly random: Random;
  /** How the server may not have more in flight than. */
  readonly inflightMax: number;
  memoryOf(clientId: string): ClientMemory;
  /** A text that no other message has: the publisher's name, a growing number and the QoS. */
  nextText(publisher: string, qos: QoS): string;
  /** Is told of each packet, where somebody wants to see them. */
  readonly trace: ((line: string) => void) | undefined;
  /** A client has seen what its server may not do. */
  violated(violation: unknown): void;
}

/** One connection of a client that does what it likes, and a watch on what its server does. */
export class FuzzedClient {
  readonly listener = 'memory';
  readonly remoteAddress = '192.0.2.1';
  readonly watch: ServerWatch;
  bufferedBytes = 0;
  /** Whether the stream is gone. */
  isOver = false;
  #isFrozen = false;
  #isHeld = false;
  readonly #world: FuzzedWorld;
  readonly #random: Random;
  /** For the trace. */
  #name: string;
  readonly #version: ProtocolVersion;
  readonly #events: ReturnType<MemoryNode['node']['accept']>;
  readonly #waiting: Uint8Array[] = [];

  constructor(world: FuzzedWorld) {
    this.#world = world;
    this.#random = world.random;
    this.#version = world.random.pick([3, 4, 5, 5, 5] as const);
    this.watch = new ServerWatch(this.#version, world);
    this.#events = world.memory.node.accept(this);
    this.#name = `v${String(this.#version)}`;
  }

  send(chunks: readonly Uint8Array[]): void {
    try {
      for (const chunk of chunks) {
        for (const packet of this.watch.received(Uint8Array.from(chunk))) {
          this.#world.trace?.(`${this.#name} < ${describePacket(packet)}`);
        }
      }
    } catch (violation) {
      this.#world.violated(violation);
    }
  }

  hold(held: boolean): void {
    this.#isHeld = held;
    if (held) return;
    for (const chunk of this.#waiting.splice(0)) this.#deliver(chunk);
  }

  end(): void {
    this.cut();
  }

  /** The network is gone. */
  cut(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#world.trace?.(`${this.#name} is over`);
    this.#events.ended();
  }

  /** Says who it is, or something else first. */
  connect(clientId: string): void {
    if (this.#random.oneIn(30)) return this.#write({ kind: 'pingreq' });
    const packet = this.#connectPacket(clientId);
    this.#name = `${clientId}/v${String(this.#version)}`;
    const memory = this.#world.memoryOf(clientId);
    this.watch.memory = memory;
    const { receiveMaximum = 65_535, maximumPacketSize = Infinity } = packet.properties ?? {};
    this.watch.terms = {
      clientId,
      cleanStart: packet.cleanStart,
      receiveMaximum: Math.min(receiveMaximum, this.#world.inflightMax),
      packetBytesMax: maximumPacketSize,
      topicAliasMaximum: packet.properties?.topicAliasMaximum ?? 0,
    };
    this.#write(packet);
    // Impatient clients do not wait for CONNACK [MQTT-3.1.4-5].
    for (let eager = this.#random.below(3); eager > 0; eager -= 1) this.act();
  }

  /** Does one of the things that clients do, mostly right. */
  act(): void {
    const random = this.#random;
    const actions = [
      () => this.#publish(),
      () => this.#publish(),
      () => this.#subscribe(),
      () => this.#subscribe(),
      () => this.#unsubscribe(),
      () => this.#acknowledge(),
      () => this.#acknowledge(),
      () => this.#acknowledge(),
      () => this.#repeat(),
      () => this.#release(),
      () => this.#ping(),
      () => this.#freezeOrThaw(),
      () => (random.oneIn(3) ? this.cut() : undefined),
      () => (random.oneIn(3) ? this.#disconnect() : undefined),
      () => (random.oneIn(8) ? this.#write(this.#oddPacket()) : undefined),
      () => (random.oneIn(8) ? this.#malformed() : undefined),
    ];
    random.pick(actions)();
  }

  #connectPacket(clientId: string): ConnectPacket {
    const random = this.#random;
    const maybe = <Value>(value: Value): Value | undefined => (random.oneIn(3) ? value : undefined);
    const willQoS = random.below(3) as QoS;
    const will = maybe({
      topic: random.pick(TOPICS),
      payload: Buffer.from(this.#world.nextText(SOMEBODY, willQoS)),
      qos: willQoS,
      retain: random.oneIn(4),
      ...(this.#version === 5 && { properties: { willDelayInterval: random.below(4) } }),
    });
    const maximumPacketSize = maybe(random.pick([4, 20, 40, 100, 1000]));
    return {
      kind: 'connect',
      version: this.#version,
      cleanStart: random.oneIn(3),
      keepAlive: random.pick([0, 0, 1, 60]),
      clientId,
      ...(will && { will }),
      ...(this.#version === 5 && {
        properties: {
          sessionExpiryInterval: random.pick([0, 1, 100, 0xffff_ffff]),
          receiveMaximum: random.pick([1, 2, 5, 65_535]),
          topicAliasMaximum: random.pick([0, 1, 5]),
          requestProblemInformation: random.oneIn(2),
          ...(maximumPacketSize !== undefined && { maximumPacketSize }),
        },
      }),
    };
  }

  #publish(): void {
    const random = this.#random;
    const qos = random.below(3) as QoS;
    const topic = random.pick(TOPICS);
    const text = this.#world.nextText(this.watch.terms?.clientId || SOMEBODY, qos);
    const packetId = qos === 0 ? 0 : 1 + random.below(IDS);
    if (qos === 2) {
      const { unanswered } = this.watch.memory ?? {};
      // A new message needs an unused packet id; an id in use would be a repeat of another one [MQTT-2.2.1-3].
      if (unanswered === undefined || unanswered.has(packetId)) return;
      if (this.watch.isConnected) unanswered.set(packetId, { topic, text });
    }
    const payload = Buffer.from(random.oneIn(20) ? '' : text);
    const retain = random.oneIn(5);
    this.#sendPublish({ kind: 'publish', dup: false, qos, retain, topic, packetId, payload });
  }

  #sendPublish(packet: PublishPacket): void {
    const random = this.#random;
    if (packet.qos > 0) this.watch.asked(packet.qos === 1 ? 'puback' : 'pubrec', packet.packetId);
    if (this.#version < 5 || random.oneIn(3)) return this.#write(packet);
    const properties = {
      ...(random.oneIn(4) && { topicAlias: 1 + random.below(4) }),
      ...(random.oneIn(4) && { messageExpiryInterval: random.below(4) }),
      ...(random.oneIn(8) && { userProperties: [['a', 'b'] as const] }),
    };
    this.#write({ ...packet, properties });
  }

  /** Sends a QoS 2 message again that the server has not answered. */
  #repeat(): void {
    const { memory, isConnected } = this.watch;
    if (memory === undefined || !isConnected || memory.unanswered.size === 0) return;
    const [packetId, { topic, text }] = this.#random.pick([...memory.unanswered]);
    const payload = Buffer.from(text);
    this.#world.repeated.add(text);
    this.watch.asked('pubrec', packetId);
    this.#write({ kind: 'publish', dup: true, qos: 2, retain: false, topic, packetId, payload });
  }

  #release(): void {
    const packetId = 1 + this.#random.below(IDS);
    // What was not answered with PUBREC may not be released.
    if (this.watch.memory?.unanswered.has(packetId) !== false) return;
    this.watch.asked('pubcomp', packetId);
    this.#write({ kind: 'pubrel', packetId, reasonCode: 0 });
  }

  #subscribe(): void {
    const random = this.#random;
    const packetId = 1 + random.below(IDS);
    const identifier = this.#version === 5 && random.oneIn(3) ? 1 + random.below(1000) : undefined;
    const subscriptions = Array.from({ length: 1 + random.below(3) }, () => {
      const filter = random.oneIn(12) ? random.pick(BAD_FILTERS) : random.pick(FILTERS);
      this.watch.memory?.filters.push({ filter, identifier });
      return {
        filter,
        qos: random.below(3) as QoS,
        noLocal: this.#version === 5 && random.oneIn(4) && !filter.startsWith('$share'),
        retainAsPublished: this.#version === 5 && random.oneIn(2),
        retainHandling: (this.#version === 5 ? random.below(3) : 0) as 0 | 1 | 2,
      };
    });
    this.watch.asked('suback', packetId, subscriptions.length);
    this.#write({
      kind: 'subscribe',
      packetId,
      subscriptions,
      ...(identifier !== undefined && { properties: { subscriptionIdentifier: identifier } }),
    });
  }

  #unsubscribe(): void {
    const packetId = 1 + this.#random.below(IDS);
    const filters = [this.#random.pick(FILTERS), this.#random.pick(FILTERS)];
    this.watch.asked('unsuback', packetId, filters.length);
    this.#write({ kind: 'unsubscribe', packetId, filters });
  }

  /** Answers a message or PUBREL that has come, if there is one. */
  #acknowledge(): void {
    const random = this.#random;
    const { open, released, memory } = this.watch;
    const packetId = released.shift();
    if (packetId !== undefined) {
      open.delete(packetId);
      memory?.unreleased.delete(packetId);
      return this.#write({ kind: 'pubcomp', packetId, reasonCode: 0 });
    }
    const unfinished = [...open].filter(([, { isReceived }]) => !isReceived);
    if (unfinished.length === 0) return;
    const [id, exchange] = random.pick(unfinished);
    const reasonCode = this.#version === 5 && random.oneIn(8) ? 0x97 : 0;
    if (exchange.qos === 1 || reasonCode !== 0) {
      open.delete(id);
      memory?.unreleased.delete(id);
      // If the server does not hear of a refusal, it sends the message again: to the client it is new [MQTT-4.3.3-9].
      if (exchange.qos === 2) memory?.onlyOnce.delete(exchange.text);
    } else {
      exchange.isReceived = true;
      memory?.recorded.add(id);
    }
    this.#write({ kind: exchange.qos === 1 ? 'puback' : 'pubrec', packetId: id, reasonCode });
  }

  #ping(): void {
    this.watch.asked('pingresp', 0);
    this.#write({ kind: 'pingreq' });
  }

  #disconnect(): void {
    const reasonCode = this.#version === 5 && this.#random.oneIn(3) ? 0x04 : 0;
    this.#write({ kind: 'disconnect', reasonCode });
  }

  /** What a client would not say, or not here. */
  #oddPacket(): Packet {
    const again = this.#random.pick([3, 4, 5] as const);
    const packets: Packet[] = [
      { kind: 'connack', sessionPresent: false, reasonCode: 0 },
      { kind: 'suback', packetId: 1, reasonCodes: [0] },
      { kind: 'pingresp' },
      { kind: 'puback', packetId: 1 + this.#random.below(IDS), reasonCode: 0 },
      { kind: 'pubcomp', packetId: 1 + this.#random.below(IDS), reasonCode: 0 },
      { kind: 'connect', version: again, cleanStart: true, keepAlive: 0, clientId: 'x' },
      ...(this.#version === 5 ? ([{ kind: 'auth', reasonCode: 0x18 }] as const) : []),
    ];
    const packet = this.#random.pick(packets);
    if (packet.kind === 'puback' || packet.kind === 'pubcomp') this.#mayFinish(packet);
    return packet;
  }

  /** The server may take a wrong acknowledgement for a right one; what comes with the packet id may be under way yet. */
  #mayFinish({ kind, packetId }: AckPacket): void {
    const { open, foretold } = this.watch;
    const exchange = open.get(packetId);
    const isFitting = kind === 'puback' ? exchange?.qos === 1 : exchange?.isReceived === true;
    if (exchange === undefined) foretold.set(packetId, (foretold.get(packetId) ?? 0) + 1);
    else if (isFitting) open.delete(packetId);
  }

  #malformed(): void {
    this.#writeBytes(Buffer.from(this.#random.pick(MALFORMED), 'hex'));
  }

  #freezeOrThaw(): void {
    this.#isFrozen = !this.#isFrozen;
    this.bufferedBytes = this.#isFrozen ? FROZEN_BYTES : 0;
    if (!this.#isFrozen && !this.isOver) this.#events.drained();
  }

  #write(packet: Packet): void {
    this.#world.trace?.(`${this.#name} > ${describePacket(packet)}`);
    this.#writeBytes(encodePacket(packet, this.#version));
  }

  /** Sends bytes, at times in two chunks. */
  #writeBytes(bytes: Uint8Array): void {
    const place = this.#random.oneIn(4) ? this.#random.below(bytes.length) : 0;
    if (place > 0) this.#deliver(bytes.slice(0, place));
    this.#deliver(bytes.slice(place));
  }

  #deliver(chunk: Uint8Array): void {
    if (this.isOver) return;
    if (this.#isHeld) this.#waiting.push(chunk);
    else this.#events.received(chunk);
  }
}

function describePacket(packet: Packet): string {
  return JSON.stringify(packet, (_key, value: unknown) => {
    const isBytes = typeof value === 'object' && value !== null && 'data' in value;
    return isBytes ? Buffer.from(value.data as number[]).toString() : value;
  });
}
