import mqttPacket from 'mqtt-packet';
import type { Packet, ProtocolVersion, UserProperty } from '#libs/mqtt-codec';

/** A packet as mqtt-packet gives it. */
export type Theirs = Readonly<Record<string, unknown>>;

/** The first packet in these bytes as mqtt-packet sees it; undefined when it gives none. */
export function parseByMqttPacket(bytes: Uint8Array, version: ProtocolVersion): Theirs | undefined {
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

/**
 * User properties as mqtt-packet keeps them, in an object: the values of a name come together, and an empty one is
 * overwritten by the next.
 */
function grouped(pairs: Iterable<UserProperty>): unknown {
  const values: Record<string, string | string[]> = Object.create(null) as Record<string, never>;
  for (const [name, value] of pairs) {
    const earlier = values[name];
    if (Array.isArray(earlier)) earlier.push(value);
    else values[name] = earlier ? [earlier, value] : value;
  }
  return Object.entries(values);
}

/** Ours or theirs, in the same form. */
function userProperties(field: Iterable<UserProperty> | Theirs): unknown {
  return Symbol.iterator in field ? grouped(field) : Object.entries(field);
}

function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]: [string, unknown]) => [
      name,
      name === 'userProperties' ? userProperties(field as Theirs) : comparable(field),
    ]),
  );
}

function translateProperties(properties: unknown, kind: unknown): Record<string, unknown> {
  if (typeof properties !== 'object' || properties === null) return {};
  const { subscriptionIdentifier, payloadFormatIndicator, ...others } = properties as Theirs;
  return {
    properties: {
      ...others,
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

/** What mqtt-packet has read, in the form in which it compares with {@link comparableForm}. */
export function translate(packet: Theirs, version: ProtocolVersion): unknown {
  const kind = packet['cmd'];
  const properties = translateProperties(packet['properties'], kind);
  return comparable({ kind, ...translateFields(packet, version), ...properties });
}

/** A packet of ours in the form in which it compares with {@link translate}. */
export function comparableForm(packet: Packet): unknown {
  return comparable(packet);
}
