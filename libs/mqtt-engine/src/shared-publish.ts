import {
  encodePublish,
  sizeOf,
  withOwnBytes,
  type ProtocolVersion,
  type PublishProperties,
  type PublishTemplate,
  type QoS,
} from '#libs/mqtt-codec';
import type { SentAlias } from './sent-aliases.ts';

/** Who wants to know what is sent of a message. */
export interface SentTrace {
  /** It was written for a client. */
  sent(to: { readonly clientId: string; readonly qos: QoS; readonly bytes: number }): void;
}

/** What the engine needs of a message to send it. */
export interface OutboundMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties?: PublishProperties;
  readonly receivedAtMs: number;
  /** When the message may no longer be delivered; 0 never. */
  readonly expiresAtMs: number;
  /** Told of what is sent of it, where anybody wants to know; the engine passes it on. */
  readonly trace?: SentTrace | undefined;
}

/** What a receiver may see differently from another receiver of the same message. */
export interface DeliveryForm {
  readonly qos: QoS;
  readonly retain: boolean;
  readonly subscriptionIdentifiers: readonly number[];
}

const SLOTS_PER_VERSION = 6;
/** What a waiting payload may keep in memory besides itself and as much again. */
const FOREIGN_BYTES_MAX = 1024;
const VERSION_5: ProtocolVersion = 5;
const EXPIRY_SECONDS_MAX = 0xffff_ffff;

/** An encoding for receivers with the same subscription identifiers, and for one second of a message that expires. */
interface OwnTemplate {
  readonly form: DeliveryForm;
  readonly secondsLeft: number;
  readonly template: PublishTemplate;
}

/**
 * One message on its way to many receivers: encoded once per version, QoS, RETAIN and topic alias.
 *
 * @remarks With subscription identifiers, and for messages that expire (their remaining time is rewritten,
 * [MQTT-3.3.2-6]), the last encoding serves the next receivers that are to see the same.
 */
export class SharedPublish<Sent extends OutboundMessage = OutboundMessage> {
  /** Whether the message came from another node. */
  readonly remote: boolean;
  #message: Sent;
  /** The first encoding and its slot; most messages need no other. */
  #slot = -1;
  #template: PublishTemplate | undefined;
  #templates: Map<number, PublishTemplate> | undefined;
  #aliased: Map<number, PublishTemplate> | undefined;
  #own: OwnTemplate | undefined;
  #below: Map<string, SharedPublish> | undefined;
  #size: number | undefined;

  constructor(message: Sent, remote: boolean) {
    this.#message = message;
    this.remote = remote;
  }

  get message(): Sent {
    return this.#message;
  }

  /** What the message takes of a queue: see {@link sizeOf}. */
  get size(): number {
    this.#size ??= sizeOf(this.message);
    return this.#size;
  }

  /** Makes ready for a wait: bytes that are a small part of what a socket has read would keep all of it in memory. */
  compact(): void {
    const { payload, properties } = this.#message;
    if (payload.buffer.byteLength <= 2 * payload.length + FOREIGN_BYTES_MAX) return;
    this.#message = {
      ...this.#message,
      payload: new Uint8Array(payload),
      ...(properties && { properties: withOwnBytes(properties) }),
    };
    this.#below = undefined;
  }

  /** Whether the message may not be delivered any more [MQTT-3.3.2-5]. */
  isExpired(nowMs: number): boolean {
    return this.message.expiresAtMs !== 0 && this.message.expiresAtMs <= nowMs;
  }

  /** The message as the clients below a mountpoint see it, once for all of them; undefined when it is not theirs to see. */
  below(mountpoint: string): SharedPublish | undefined {
    const known = this.#below?.get(mountpoint);
    if (known !== undefined) return known;
    const seen = seenBelow(mountpoint, this.message);
    if (seen === undefined) return undefined;
    if (seen === this.message) return this;
    const made = new SharedPublish(seen, this.remote);
    this.#below ??= new Map();
    this.#below.set(mountpoint, made);
    return made;
  }

  /** Encodes for one receiver, or hands out what another receiver's encoding left. */
  template(version: ProtocolVersion, form: DeliveryForm, nowMs: number): PublishTemplate {
    if (version === VERSION_5 && this.#isOwnOf(form)) return this.#ownTemplate(form, nowMs);
    const slot = slotOf(form) + (version === VERSION_5 ? SLOTS_PER_VERSION : 0);
    const known = slot === this.#slot ? this.#template : this.#templates?.get(slot);
    if (known !== undefined) return known;
    const made =
      version === VERSION_5 ? this.#encode(form, nowMs) : this.#encodePlain(form, version);
    if (this.#template === undefined) {
      this.#slot = slot;
      this.#template = made;
    } else {
      this.#templates ??= new Map();
      this.#templates.set(slot, made);
    }
    return made;
  }

  /** The same for an MQTT 5 receiver with a topic alias. */
  aliasedTemplate(form: DeliveryForm, alias: SentAlias, nowMs: number): PublishTemplate {
    if (this.#isOwnOf(form)) return this.#encode(form, nowMs, alias);
    this.#aliased ??= new Map();
    const slot = slotOf(form) + (2 * alias.number + (alias.isKnown ? 1 : 0)) * SLOTS_PER_VERSION;
    const known = this.#aliased.get(slot);
    if (known !== undefined) return known;
    const made = this.#encode(form, nowMs, alias);
    this.#aliased.set(slot, made);
    return made;
  }

  #isOwnOf(form: DeliveryForm): boolean {
    return this.message.expiresAtMs !== 0 || form.subscriptionIdentifiers.length > 0;
  }

  #ownTemplate(form: DeliveryForm, nowMs: number): PublishTemplate {
    const secondsLeft = this.#secondsLeft(nowMs);
    const own = this.#own;
    if (own?.secondsLeft === secondsLeft && isAlike(own.form, form)) return own.template;
    const template = this.#encode(form, nowMs);
    this.#own = { form, secondsLeft, template };
    return template;
  }

  /** What is left of the expiry interval: never more than there was, whatever the clocks of two nodes say. */
  #secondsLeft(nowMs: number): number {
    const { properties, expiresAtMs } = this.message;
    const { messageExpiryInterval = EXPIRY_SECONDS_MAX } = properties ?? {};
    const left = Math.ceil((expiresAtMs - nowMs) / 1000);
    return Math.min(Math.max(1, left), messageExpiryInterval);
  }

  #encodePlain({ qos, retain }: DeliveryForm, version: ProtocolVersion): PublishTemplate {
    const { topic, payload } = this.message;
    return encodePublish({ dup: false, qos, retain, topic, packetId: 0, payload }, version);
  }

  #encode(form: DeliveryForm, nowMs: number, alias?: SentAlias): PublishTemplate {
    const { topic, payload, properties, expiresAtMs } = this.message;
    const { qos, retain, subscriptionIdentifiers } = form;
    const hasOwn = alias !== undefined || subscriptionIdentifiers.length > 0 || expiresAtMs !== 0;
    if (properties === undefined && !hasOwn) return this.#encodePlain(form, VERSION_5);
    const template = encodePublish(
      {
        dup: false,
        qos,
        retain,
        topic: alias?.isKnown === true ? '' : topic,
        packetId: 0,
        payload,
        properties: {
          ...properties,
          ...(alias !== undefined && { topicAlias: alias.number }),
          ...(subscriptionIdentifiers.length > 0 && { subscriptionIdentifiers }),
          ...(expiresAtMs !== 0 && { messageExpiryInterval: this.#secondsLeft(nowMs) }),
        },
      },
      VERSION_5,
    );
    return alias?.isKnown === true ? { ...template, topic } : template;
  }
}

/**
 * Topic and response topic without the mountpoint. What the broker says of itself (`$SYS`) is the same for all; other topics
 * that would begin with `$` cannot have been meant for these clients, who may not publish such.
 */
function seenBelow(mountpoint: string, message: OutboundMessage): OutboundMessage | undefined {
  const { topic, properties } = message;
  if (topic.startsWith('$SYS/')) return message;
  if (!topic.startsWith(mountpoint) || topic.length === mountpoint.length) return undefined;
  if (topic.charAt(mountpoint.length) === '$') return undefined;
  const seen = { ...message, topic: topic.slice(mountpoint.length) };
  const { responseTopic = '' } = properties ?? {};
  if (!responseTopic.startsWith(mountpoint) || responseTopic === mountpoint) return seen;
  const own = { ...properties, responseTopic: responseTopic.slice(mountpoint.length) };
  return { ...seen, properties: own };
}

function slotOf({ qos, retain }: DeliveryForm): number {
  return qos * 2 + (retain ? 1 : 0);
}

function isAlike(one: DeliveryForm, other: DeliveryForm): boolean {
  if (one === other) return true;
  const [ids, otherIds] = [one.subscriptionIdentifiers, other.subscriptionIdentifiers];
  return (
    slotOf(one) === slotOf(other) &&
    ids.length === otherIds.length &&
    ids.every((identifier, index) => identifier === otherIds[index])
  );
}
