import type { AclRule } from '#libs/access';
import type { HubClient } from '#libs/broker-ports';
import {
  decodeTemplate,
  type Packet,
  type ProtocolVersion,
  type PublishPacket,
  type PublishTemplate,
  type ReasonCode,
} from '#libs/mqtt-codec';
import { filterFault, filtersMeet, matches, parseShare, plainFilter } from '#libs/topic-index';
import type { ConnectionEnd } from './explanation.ts';

/** Whether an address is one of those wanted. */
export type AddressTest = (address: string) => boolean;

/** Whom and what a trace is of: all that is given has to be so. */
export interface TraceWanted {
  readonly clientId?: string | undefined;
  /** A filter: of packets those that name such a topic, or a filter that meets it. Under the broker's names. */
  readonly topic?: string | undefined;
  readonly isAddress?: AddressTest | undefined;
}

/** Who has sent a packet, or gets it, as far as is known by then. */
export interface TracedClient {
  readonly clientId: string | undefined;
  readonly username: string | undefined;
  readonly listener: string | undefined;
  readonly address: string | undefined;
  readonly version: ProtocolVersion | undefined;
}

/** Why a connection has ended, and by whom. */
export interface TracedEnd {
  readonly initiator: ConnectionEnd['initiator'];
  readonly reason: ConnectionEnd['reason'];
}

/** What the node has decided about a client or a message of it, where a packet does not say it or says it less well. */
export type TracedDecision =
  | { readonly type: 'connect_refused'; readonly reasonCode: ReasonCode; readonly detail: string }
  | {
      readonly type: 'login';
      readonly backend: string;
      readonly outcome: 'allowed' | 'denied' | 'failed';
      readonly detail: string | undefined;
    }
  | {
      readonly type: 'denied';
      readonly action: 'publish' | 'subscribe' | 'receive';
      readonly topic: string;
      /** The rule that says so; undefined where the default does. */
      readonly rule: AclRule | undefined;
    }
  | { readonly type: 'message_dropped'; readonly reason: string; readonly topic: string }
  | ({ readonly type: 'connection_ended' } & TracedEnd);

/** What a trace has recorded. Packets are as they were on the wire: whoever shows them leaves out what is secret. */
export type TraceRecord = { readonly client: TracedClient } & (
  | { readonly kind: 'packet'; readonly direction: 'in' | 'out'; readonly packet: Packet }
  | { readonly kind: 'decision'; readonly decision: TracedDecision }
);

/** Takes what a trace records. */
export type TraceOutput = (record: TraceRecord) => void;

/** The names of a client, as the broker knows them. */
export interface TracedNames {
  /** The broker's name of a topic. */
  topic(topic: string): string;
  /** The broker's name of a filter. */
  filter(filter: string): string;
}

/** What a connection has sent. */
export interface TracedInbound {
  /** The topic of a PUBLISH, also where an alias stands for it. */
  topicOf(packet: Pick<PublishPacket, 'topic' | 'properties'>): string;
}

/** A connection, as far as traces look at it. */
export interface TracedLink {
  readonly version: ProtocolVersion;
  readonly transport: { readonly listener: string; readonly remoteAddress: string };
  readonly client: HubClient | undefined;
  readonly entry:
    | {
        readonly names: TracedNames | undefined;
        readonly terms: { readonly mountpoint?: string } | undefined;
        readonly session: { readonly inbound: TracedInbound };
      }
    | undefined;
}

/** A session, as far as decisions about its messages are told. */
export interface TracedSession {
  readonly clientId: string;
  readonly client: HubClient | undefined;
  readonly terms: { readonly version: ProtocolVersion } | undefined;
}

interface Trace {
  readonly wanted: TraceWanted;
  readonly output: TraceOutput;
}

/**
 * The traces that run at this node.
 *
 * @remarks Whoever has something for them asks `isOn` first: while none runs that is all that a packet costs.
 */
export class Tracing {
  /** Whether any trace runs. */
  isOn = false;
  readonly #traces = new Set<Trace>();
  /** Under which client ids connections have asked to be let in: they are traced before they are, and if they are not. */
  readonly #asked = new WeakMap<
    TracedLink,
    { readonly clientId: string; readonly username?: string }
  >();
  /** One message may go to many. */
  readonly #decoded = new WeakMap<PublishTemplate, PublishPacket>();

  /** Begins a trace; the returned function ends it. */
  start(wanted: TraceWanted, output: TraceOutput): () => void {
    const trace: Trace = { wanted, output };
    this.#traces.add(trace);
    this.isOn = true;
    return () => {
      this.#traces.delete(trace);
      this.isOn = this.#traces.size > 0;
    };
  }

  /** A packet has come. */
  received(link: TracedLink, packet: Packet): void {
    if (packet.kind === 'connect') this.#asked.set(link, packet);
    this.#packet(link, packet, 'in');
  }

  /** A packet goes out. */
  sent(link: TracedLink, packet: Packet): void {
    this.#packet(link, packet, 'out');
  }

  /** A message goes out. */
  sentMessage(
    link: TracedLink,
    template: PublishTemplate,
    delivery: { readonly packetId: number; readonly dup: boolean },
  ): void {
    const client = this.#clientOf(link);
    const { mountpoint = '' } = link.entry?.terms ?? {};
    const topic = template.topic.startsWith('$SYS/')
      ? template.topic
      : `${mountpoint}${template.topic}`;
    for (const { wanted, output } of this.#traces) {
      if (!isWanted(wanted, client) || !isTopic(wanted, [topic])) continue;
      let packet = this.#decoded.get(template);
      if (packet === undefined) {
        packet = decodeTemplate(template, link.version);
        this.#decoded.set(template, packet);
      }
      output({ kind: 'packet', client, direction: 'out', packet: { ...packet, ...delivery } });
    }
  }

  /** Something was decided about a connection. */
  decided(link: TracedLink, decision: TracedDecision): void {
    this.tell(this.#clientOf(link), decision);
  }

  /** Something was decided about a session, whose client may be away. */
  decidedOf({ clientId, client, terms }: TracedSession, decision: TracedDecision): void {
    const { username, listener, remoteAddress: address } = client ?? {};
    this.tell({ clientId, username, listener, address, version: terms?.version }, decision);
  }

  /** Something was decided about a client. */
  tell(client: TracedClient, decision: TracedDecision): void {
    const topics = 'topic' in decision ? [decision.topic] : [];
    for (const { wanted, output } of this.#traces) {
      if (!isWanted(wanted, client) || !isTopic(wanted, topics)) continue;
      output({ kind: 'decision', client, decision });
    }
  }

  #packet(link: TracedLink, packet: Packet, direction: 'in' | 'out'): void {
    const client = this.#clientOf(link);
    for (const { wanted, output } of this.#traces) {
      if (!isWanted(wanted, client)) continue;
      if (wanted.topic !== undefined && !isTopic(wanted, topicsOf(link, packet))) continue;
      output({ kind: 'packet', client, direction, packet });
    }
  }

  #clientOf(link: TracedLink): TracedClient {
    const { client, transport, version } = link;
    const asked = this.#asked.get(link);
    return {
      clientId: client?.clientId ?? asked?.clientId,
      username: client?.username ?? asked?.username,
      ...{ listener: transport.listener, address: transport.remoteAddress, version },
    };
  }
}

function isWanted({ clientId, isAddress }: TraceWanted, client: TracedClient): boolean {
  if (clientId !== undefined && clientId !== client.clientId) return false;
  if (isAddress === undefined) return true;
  // Of a client that is away, or was told of by its id alone, the address is not known.
  return client.address === undefined ? clientId !== undefined : isAddress(client.address);
}

/** @param topics - topics and filters, as the broker knows them. */
function isTopic({ topic: filter }: TraceWanted, topics: readonly string[]): boolean {
  if (filter === undefined) return true;
  return topics.some((topic) =>
    topic.includes('#') || topic.includes('+')
      ? filtersMeet(filter, topic)
      : matches(filter, topic),
  );
}

/** The topics and filters that a packet of a client names. */
function topicsOf({ entry }: TracedLink, packet: Packet): readonly string[] {
  const filterOf = (filter: string) => {
    const named = entry?.names?.filter(filter) ?? filter;
    if (filterFault(named, Infinity) !== undefined) return '';
    return parseShare(named)?.filter ?? plainFilter(named);
  };
  switch (packet.kind) {
    case 'publish': {
      const topic = entry?.session.inbound.topicOf(packet) ?? packet.topic;
      return [entry?.names?.topic(topic) ?? topic];
    }
    case 'subscribe':
      return packet.subscriptions.map(({ filter }) => filterOf(filter));
    case 'unsubscribe':
      return packet.filters.map((filter) => filterOf(filter));
    case 'connect':
      return packet.will === undefined ? [] : [packet.will.topic];
    case 'connack':
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
    case 'suback':
    case 'unsuback':
    case 'pingreq':
    case 'pingresp':
    case 'disconnect':
    case 'auth':
      return [];
  }
}
