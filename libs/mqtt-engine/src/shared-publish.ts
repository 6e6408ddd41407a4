import {
  encodePublish,
  type ProtocolVersion,
  type PublishProperties,
  type PublishTemplate,
  type QoS,
} from '#libs/mqtt-codec';

/** What the engine needs of a message to send it. */
export interface OutboundMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties?: PublishProperties;
  readonly receivedAtMs: number;
  /** When the message may no longer be delivered; 0 never. */
  readonly expiresAtMs: number;
}

/** What a receiver may see differently from another receiver of the same message. */
export interface DeliveryForm {
  readonly qos: QoS;
  readonly retain: boolean;
  readonly subscriptionIdentifiers: readonly number[];
}

const SLOTS_PER_VERSION = 6;

/**
 * One message on its way to many receivers: encoded once per version, QoS and RETAIN.
 *
 * @remarks Deliveries with subscription identifiers, and messages that expire (their remaining time is
 * rewritten, [MQTT-3.3.2-6]), are encoded for each receiver.
 */
export class SharedPublish {
  readonly message: OutboundMessage;
  /** Whether the message came from another node. */
  readonly remote: boolean;
  readonly #templates: (PublishTemplate | undefined)[] = [];

  constructor(message: OutboundMessage, remote: boolean) {
    this.message = message;
    this.remote = remote;
  }

  /** Whether the message may not be delivered any more [MQTT-3.3.2-5]. */
  isExpired(nowMs: number): boolean {
    return this.message.expiresAtMs !== 0 && this.message.expiresAtMs <= nowMs;
  }

  /** Encodes for one receiver, or hands out what another receiver's encoding left. */
  template(version: ProtocolVersion, form: DeliveryForm, nowMs: number): PublishTemplate {
    const ownBytes =
      version === 5 && (this.message.expiresAtMs !== 0 || form.subscriptionIdentifiers.length > 0);
    if (ownBytes) return this.#encode(version, form, nowMs);
    const slot = (version === 5 ? SLOTS_PER_VERSION : 0) + form.qos * 2 + (form.retain ? 1 : 0);
    const known = this.#templates[slot];
    if (known !== undefined) return known;
    const made = this.#encode(version, form, nowMs);
    this.#templates[slot] = made;
    return made;
  }

  #encode(version: ProtocolVersion, form: DeliveryForm, nowMs: number): PublishTemplate {
    const { topic, payload, properties, expiresAtMs } = this.message;
    const packet = { dup: false, qos: form.qos, retain: form.retain, topic, packetId: 0, payload };
    if (version !== 5) return encodePublish(packet, version);
    const ids = form.subscriptionIdentifiers;
    if (properties === undefined && ids.length === 0 && expiresAtMs === 0) {
      return encodePublish(packet, version);
    }
    return encodePublish(
      {
        ...packet,
        properties: {
          ...properties,
          ...(ids.length > 0 && { subscriptionIdentifiers: ids }),
          ...(expiresAtMs !== 0 && {
            messageExpiryInterval: Math.max(1, Math.ceil((expiresAtMs - nowMs) / 1000)),
          }),
        },
      },
      version,
    );
  }
}
