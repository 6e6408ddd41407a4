import { isDeepStrictEqual } from 'node:util';
import mqttPacket from 'mqtt-packet';
import {
  PacketDecoder,
  type DecodeFailure,
  type Packet,
  type ProtocolVersion,
  type UserProperty,
} from '#libs/mqtt-codec';
import { differenceBetween } from './mqtt-packet-differences.ts';

/** How two decoders see the same bytes. */
export type Comparison =
  | { readonly kind: 'same' }
  /** The bytes are no whole packet. */
  | { readonly kind: 'incomplete' }
  /** They differ, and mqtt-packet-differences.ts says why. */
  | { readonly kind: 'known'; readonly name: string }
  | { readonly kind: 'unexplained'; readonly ours: unknown; readonly theirs: unknown };

const PACKET_BYTES_MAX = 100_000;

type Theirs = Readonly<Record<string, unknown>>;

/** The first packet as we see it, and where it ends: mqtt-packet may read beyond that. */
function ours(
  bytes: Uint8Array,
  version: ProtocolVersion,
): { packet: Packet | DecodeFailure | undefined; end: number } {
  const decoder = new PacketDecoder({ packetBytesMax: PACKET_BYTES_MAX });
  decoder.version = version;
  decoder.push(bytes);
  return { packet: decoder.read(), end: bytes.length - decoder.bufferedBytes };
}

/** The first packet as mqtt-packet sees it. */
function theirs(bytes: Uint8Array, version: ProtocolVersion): Theirs | undefined {
  const parser = mqttPacket.parser({ protocolVersion: version });
  const packets: Theirs[] = [];
  parser.on('packet', (packet) => packets.push({ ...packet }));
  parser.on('error', () => undefined);
  try {
    parser.parse(Buffer.from(bytes));
  } catch {
    // It throws on some bytes.
  }
  return packets[0];
}

/** mqtt-packet keeps user properties in an object: their order between names is lost, and some empty values are. */
function sorted(pairs: Iterable<UserProperty>): readonly UserProperty[] {
  return [...pairs]
    .filter(([, value]) => value !== '')
    .toSorted(([a], [b]) => (a === b ? 0 : a < b ? -1 : 1));
}

function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  const { userProperties, ...others } = value as { userProperties?: Iterable<UserProperty> };
  return {
    ...Object.fromEntries(Object.entries(others).map(([name, field]) => [name, comparable(field)])),
    ...(userProperties && { userProperties: sorted(userProperties) }),
  };
}

function translateProperties(properties: unknown, kind: unknown): Record<string, unknown> {
  if (typeof properties !== 'object' || properties === null) return {};
  const { userProperties, subscriptionIdentifier, payloadFormatIndicator, ...others } =
    properties as Theirs;
  const pairs = Object.entries(userProperties ?? {}).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value]),
  );
  return {
    properties: {
      ...others,
      ...(userProperties !== undefined && { userProperties: pairs }),
      ...(payloadFormatIndicator !== undefined && {
        payloadFormatIndicator: payloadFormatIndicator === true ? 1 : 0,
      }),
      ...(subscriptionIdentifier !== undefined &&
        (kind === 'publish'
          ? { subscriptionIdentifiers: [subscriptionIdentifier].flat() }
          : { subscriptionIdentifier })),
    },
  };
}

const REASONS_OF_RETURN_CODES = [0x00, 0x84, 0x85, 0x88, 0x86, 0x87];

function translateFields(packet: Theirs, version: ProtocolVersion): object {
  const packetId = packet['messageId'];
  switch (packet['cmd']) {
    case 'connect': {
      const { protocolVersion, clean, keepalive, clientId, username, password } = packet;
      const will = packet['will'] as Theirs | undefined;
      return {
        version: protocolVersion,
        cleanStart: clean,
        keepAlive: keepalive,
        clientId,
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
        ...(will && { will: { ...will, ...translateProperties(will['properties'], 'will') } }),
      };
    }
    case 'connack': {
      const { sessionPresent, reasonCode, returnCode } = packet;
      const code = version === 5 ? reasonCode : REASONS_OF_RETURN_CODES[Number(returnCode)];
      return { sessionPresent, reasonCode: code };
    }
    case 'publish': {
      const { dup, qos, retain, topic, payload } = packet;
      return { dup, qos, retain, topic, payload, packetId: qos === 0 ? 0 : packetId };
    }
    case 'subscribe': {
      const list = packet['subscriptions'] as readonly Theirs[];
      const subscriptions = list.map(({ topic, qos, nl = false, rap = false, rh = 0 }) => {
        return { filter: topic, qos, noLocal: nl, retainAsPublished: rap, retainHandling: rh };
      });
      return { packetId, subscriptions };
    }
    case 'unsubscribe':
      return { packetId, filters: packet['unsubscriptions'] };
    case 'suback':
    case 'unsuback':
      return { packetId, reasonCodes: packet['granted'] ?? [] };
    case 'pingreq':
    case 'pingresp':
      return {};
    default:
      return {
        ...(packetId !== undefined && { packetId }),
        reasonCode: version === 5 ? packet['reasonCode'] : 0,
      };
  }
}

function translate(packet: Theirs, version: ProtocolVersion): unknown {
  const kind = packet['cmd'];
  const properties = translateProperties(packet['properties'], kind);
  return comparable({ kind, ...translateFields(packet, version), ...properties });
}

/** Reads bytes as mqtt-packet does; undefined when it gives no packet. */
export function readByMqttPacket(bytes: Uint8Array, version: ProtocolVersion): unknown {
  const packet = theirs(bytes, version);
  return packet && translate(packet, version);
}

/** A packet of ours in the form in which it compares with {@link readByMqttPacket}. */
export function comparableForm(packet: Packet): unknown {
  return comparable(packet);
}

/** Compares the first packet in these bytes, as this codec and mqtt-packet read it. */
export function compare(bytes: Uint8Array, version: ProtocolVersion): Comparison {
  const { packet, end } = ours(bytes, version);
  if (packet === undefined) return { kind: 'incomplete' };
  const their = readByMqttPacket(bytes.subarray(0, end), version);
  if (packet.kind === 'failure' ? their === undefined : isEqual(comparable(packet), their)) {
    return { kind: 'same' };
  }
  const name = differenceBetween(packet, { version, isRefused: their === undefined });
  if (name !== undefined) return { kind: 'known', name };
  return { kind: 'unexplained', ours: packet, theirs: their };
}

function isEqual(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b);
}
