import {
  utf8ByteLength,
  type PublishPacket,
  type SubscribePacket,
  type UnsubscribePacket,
  type Will,
} from '#libs/mqtt-codec';
import { filterFault, isShared, topicNameFault } from '#libs/topic-index';
import { isResponseTopic } from '../response-topic.ts';
import type { ClientIdentity } from './name-template.ts';
import type { TopicRewriter } from './topic-rewriter.ts';

/** A UTF-8 Encoded String has two bytes for its length. */
const NAME_BYTES_MAX = 65_535;

/** No name at all: whoever checks names refuses it. It stands for what cannot be made. */
const NO_NAME = '';

/** A name taken apart: what says how it is meant, and the name meant. */
interface Parts {
  readonly prefix: string;
  readonly name: string;
}

/** What decides on the names of one client; undefined where the node has nothing of the kind. */
export interface ClientNaming {
  readonly rewriter: TopicRewriter | undefined;
  /** The text before every name; empty for none. */
  readonly mountpoint: string;
  readonly identity: ClientIdentity;
}

/**
 * The names that a client uses, as the broker knows them: rewritten by the rules, and below the client's mountpoint.
 *
 * @remarks Everything after it - authorisation, retained messages, routing, sessions, the bridge, the admin API - knows the
 * broker's names only. A name that is not valid stays as it is, and one that cannot be made becomes the empty one: both are
 * refused by the checks that every name passes. `$share/group/`, `$exclusive/` and `$delayed/seconds/` stay in front; names
 * of `$SYS` and `$response` are nobody's and stay as they are.
 */
export class ClientNames {
  readonly #rewriter: TopicRewriter | undefined;
  readonly #mountpoint: string;
  readonly #identity: ClientIdentity;

  constructor({ rewriter, mountpoint, identity }: ClientNaming) {
    this.#rewriter = rewriter;
    this.#mountpoint = mountpoint;
    this.#identity = identity;
  }

  /** What a PUBLISH is to the broker. */
  publish(packet: PublishPacket): PublishPacket {
    return this.#named(packet);
  }

  /** What the will of a CONNECT is to the broker. */
  will(will: Will): Will {
    return this.#named(will);
  }

  /** What a SUBSCRIBE is to the broker. */
  subscribe(packet: SubscribePacket): SubscribePacket {
    const subscriptions = packet.subscriptions.map((request) => {
      const filter = this.filter(request.filter);
      // No Local is the client's error only where the client has asked for a shared subscription [MQTT-3.8.3-4].
      const noLocal = request.noLocal && (!isShared(filter) || isShared(request.filter));
      return { ...request, filter, noLocal };
    });
    return { ...packet, subscriptions };
  }

  /** What an UNSUBSCRIBE is to the broker. */
  unsubscribe(packet: UnsubscribePacket): UnsubscribePacket {
    return { ...packet, filters: packet.filters.map((filter) => this.filter(filter)) };
  }

  /** The broker's filter for a client's. */
  filter(filter: string): string {
    if (filterFault(filter, Infinity) !== undefined) return filter;
    return this.#rename('subscribe', filter);
  }

  /** The broker's topic for a client's. */
  topic(topic: string): string {
    if (topicNameFault(topic, Infinity) !== undefined) return topic;
    return this.#rename('publish', topic);
  }

  #named<Message extends PublishPacket | Will>(message: Message): Message {
    const topic = this.topic(message.topic);
    const responseTopic = message.properties?.responseTopic;
    if (responseTopic === undefined || this.#mountpoint === '') {
      return topic === message.topic ? message : { ...message, topic };
    }
    // The answer is published by a client that sees the topic as the broker does, or from below the same mountpoint.
    const mounted = this.#mount('publish', { prefix: '', name: responseTopic });
    if (mounted === NO_NAME) return { ...message, topic: NO_NAME };
    return { ...message, topic, properties: { ...message.properties, responseTopic: mounted } };
  }

  #rename(kind: 'publish' | 'subscribe', whole: string): string {
    const given = partsOf(kind, whole);
    if (this.#rewriter === undefined || isSystem(given.name)) return this.#mount(kind, given);
    const renamed = this.#rewriter.rewrite(kind, given.name, this.#identity);
    if (renamed === given.name) return this.#mount(kind, given);
    if (renamed === undefined) return NO_NAME;
    // A rule may say how a name is meant, unless the client has said so.
    const made = partsOf(kind, renamed);
    if (given.prefix === '') return this.#mount(kind, made);
    return made.prefix === '' ? this.#mount(kind, { ...made, prefix: given.prefix }) : NO_NAME;
  }

  #mount(kind: 'publish' | 'subscribe', { prefix, name }: Parts): string {
    if (isSystem(name)) return `${prefix}${name}`;
    // Below a mountpoint no topic would begin with $ any more, and wildcards would find it [MQTT-4.7.2-1].
    if (this.#mountpoint !== '' && kind === 'publish' && name.startsWith('$')) return NO_NAME;
    const whole = `${prefix}${this.#mountpoint}${name}`;
    return isTooLong(whole) ? NO_NAME : whole;
  }
}

function partsOf(kind: 'publish' | 'subscribe', whole: string): Parts {
  const length = prefixLength(kind, whole);
  return { prefix: whole.slice(0, length), name: whole.slice(length) };
}

function prefixLength(kind: 'publish' | 'subscribe', whole: string): number {
  if (!whole.startsWith('$')) return 0;
  if (kind === 'subscribe' && whole.startsWith('$exclusive/')) return '$exclusive/'.length;
  const counted = kind === 'publish' ? '$delayed/' : '$share/';
  return whole.startsWith(counted) ? whole.indexOf('/', counted.length) + 1 : 0;
}

function isSystem(name: string): boolean {
  return name === '$SYS' || name.startsWith('$SYS/') || isResponseTopic(name);
}

/** A UTF-16 unit takes one to three bytes of UTF-8: few names are measured. */
function isTooLong(name: string): boolean {
  if (name.length * 3 <= NAME_BYTES_MAX) return false;
  return name.length > NAME_BYTES_MAX || utf8ByteLength(name) > NAME_BYTES_MAX;
}
