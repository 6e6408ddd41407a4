import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import { decodePacketId, decodeQoS } from './field.ts';
import type { ProtocolVersion, SubscribePacket, SubscriptionRequest } from './packet.ts';
import { decodeProperties, encodeProperties } from './properties.ts';
import { REASON } from './reason-code.ts';

const QOS = 0x03;
const NO_LOCAL = 0x04;
const RETAIN_AS_PUBLISHED = 0x08;
const RETAIN_HANDLING_SHIFT = 4;
const RESERVED = 0xc0;
/** Before MQTT 5 only the QoS has bits. */
const RESERVED_BEFORE_5 = 0xfc;

/*
 * SUBSCRIBE (section 3.8); flags of the fixed header: 0010
 *
 *   2 bytes  packet identifier
 *   props    MQTT 5
 *   once or more:
 *     text   topic filter
 *     byte   options: reserved 7-6, retain handling 5-4, retain as published 3, no local 2, QoS 1-0
 */

/** Decodes SUBSCRIBE. Whether a filter is valid and allowed is answered per filter in SUBACK, so not decided here. */
export function decodeSubscribe(reader: ByteReader, version: ProtocolVersion): SubscribePacket {
  const packetId = decodePacketId(reader);
  const properties = version === 5 ? decodeProperties(reader, 'subscribe') : undefined;
  if (reader.isAtEnd) {
    reader.fail(REASON.protocolError, 'SUBSCRIBE without a filter [MQTT-3.8.3-2]');
  }
  const subscriptions: SubscriptionRequest[] = [];
  while (!reader.isAtEnd) subscriptions.push(decodeSubscription(reader, version));
  return { kind: 'subscribe', packetId, subscriptions, ...(properties && { properties }) };
}

function decodeSubscription(reader: ByteReader, version: ProtocolVersion): SubscriptionRequest {
  const filter = reader.text();
  const options = reader.byte();
  if ((options & (version === 5 ? RESERVED : RESERVED_BEFORE_5)) !== 0) {
    reader.fail(REASON.malformedPacket, 'reserved subscription options are set [MQTT-3.8.3-5]');
  }
  return {
    filter,
    qos: decodeQoS(reader, options & QOS, REASON.protocolError),
    noLocal: (options & NO_LOCAL) !== 0,
    retainAsPublished: (options & RETAIN_AS_PUBLISHED) !== 0,
    retainHandling: decodeRetainHandling(reader, (options >> RETAIN_HANDLING_SHIFT) & 0x03),
  };
}

function decodeRetainHandling(reader: ByteReader, bits: number): 0 | 1 | 2 {
  if (bits === 0 || bits === 1 || bits === 2) return bits;
  reader.fail(REASON.protocolError, 'retain handling 3 does not exist');
  return 0;
}

/** Encodes what follows the fixed header. */
export function encodeSubscribe(
  packet: SubscribePacket,
  writer: ByteWriter,
  version: ProtocolVersion,
): void {
  writer.twoBytes(packet.packetId);
  if (version === 5) encodeProperties(writer, 'subscribe', packet.properties);
  for (const subscription of packet.subscriptions) {
    writer.text(subscription.filter);
    writer.byte(version === 5 ? optionsOf(subscription) : subscription.qos);
  }
}

function optionsOf({ qos, noLocal, retainAsPublished, retainHandling }: SubscriptionRequest) {
  return (
    qos |
    (noLocal ? NO_LOCAL : 0) |
    (retainAsPublished ? RETAIN_AS_PUBLISHED : 0) |
    (retainHandling << RETAIN_HANDLING_SHIFT)
  );
}
