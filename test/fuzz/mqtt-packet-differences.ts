import type { DecodeFailure, Packet, ProtocolVersion } from '#libs/mqtt-codec';

/** A kind of bytes that this codec and npm's mqtt-packet see differently, and why ours is what MQTT asks for. */
export interface Difference {
  readonly name: string;
  readonly why: string;
  readonly example: Example;
  readonly applies: (ours: Packet | DecodeFailure, about: ComparisonContext) => boolean;
}

/** Bytes that the two see differently, in a connection of a version. */
type Example = readonly [version: ProtocolVersion, hex: string];

/** What a difference may depend on besides our reading. */
export interface ComparisonContext {
  readonly version: ProtocolVersion;
  /** Whether mqtt-packet refuses the bytes. */
  readonly isRefused: boolean;
}

/** We refuse with this message, and mqtt-packet gives a packet. */
function stricter(message: string, why: string, example: Example): Difference {
  const applies = (ours: Packet | DecodeFailure): boolean =>
    ours.kind === 'failure' && ours.message === message;
  return { name: message, why, example, applies };
}

/** The differences, one by one. */
export const DIFFERENCES: readonly Difference[] = [
  stricter(
    'bytes after the last field',
    'It skips what is left of a packet; a packet whose length is wrong is malformed.',
    [4, 'c00100'],
  ),
  stricter(
    'the packet ends within a field',
    'It reads a field on into the next packet, or takes the field as empty.',
    [4, '4000'],
  ),
  stricter(
    'the packet ends within its properties',
    'It reads properties on into the next packet.',
    [5, '900300010122'],
  ),
  stricter(
    'a property reaches beyond the property length',
    'It does not compare the property length with what it has read.',
    [5, 'f0051802150000'],
  ),
  stricter(
    'a text is not well-formed UTF-8',
    'It reads ill-formed UTF-8 as replacement characters, and lets U+0000 pass [MQTT-1.5.4-1] [MQTT-1.5.4-2].',
    [4, '3003000100'],
  ),
  stricter(
    'a variable byte integer is invalid',
    'It takes property lengths and identifiers of more bytes than needed [MQTT-1.5.5-1].',
    [5, 'b00400018000'],
  ),
  stricter(
    'the remaining length is invalid',
    'It takes a remaining length of more bytes than needed [MQTT-1.5.5-1].',
    [4, 'c08000'],
  ),
  stricter('the packet identifier is 0', 'It takes identifier 0 [MQTT-2.2.1-3].', [4, '40020000']),
  stricter('DUP is set with QoS 0 [MQTT-3.3.1-2]', 'It takes DUP as it is.', [4, '3803000174']),
  stricter(
    'the topic is empty and no alias stands for it',
    'It leaves the Protocol Error of section 3.3.2.1 to its user.',
    [4, '30020000'],
  ),
  stricter('the topic holds a wildcard [MQTT-3.3.2-2]', 'It leaves topic names to its user.', [
    4,
    '3003000123',
  ]),
  stricter(
    'a topic name is empty or holds a wildcard',
    'It leaves will topics and response topics to its user [MQTT-3.3.2-14].',
    [5, '300700017403080000'],
  ),
  stricter('QoS 3 does not exist', 'It takes QoS 3 of a will [MQTT-3.1.2-12].', [
    4,
    '101200044d515454041e00000001630001740000',
  ]),
  stricter(
    'a property that is 0 or 1 has another value',
    'It takes every other value for 1, where MQTT has a Protocol Error.',
    [5, '20050000022a02'],
  ),
  stricter(
    'a property that must not be 0 is 0',
    'It takes Receive Maximum, Maximum Packet Size, Topic Alias and Subscription Identifier 0 [MQTT-3.3.2-8].',
    [5, '82050001020b00'],
  ),
  stricter(
    'a property is repeated that must not be',
    'It makes a list of the values; section 2.2.2.2 calls it a Protocol Error.',
    [5, '320a00017400010301000100'],
  ),
  stricter(
    'a property does not belong to this packet',
    'It reads every property in every packet (table 2-4).',
    [5, 'e003000117'],
  ),
  stricter(
    'authentication data comes without a method',
    'It leaves the Protocol Error of section 3.1.2.11.10 to its user.',
    [5, 'f0051803160000'],
  ),
  stricter(
    'the reason code does not belong to this packet',
    'It checks reason codes of some packets, and takes those of others (table 2-6).',
    [5, '2003001000'],
  ),
  stricter('the return code is reserved', 'It takes every return code of CONNACK (table 3.1).', [
    4,
    '20020006',
  ]),
  stricter(
    'a password comes without a user name [MQTT3-3.1.2-22]',
    'MQTT 3.1.1 forbids it, MQTT 5 allows it; it does not tell them apart.',
    [4, '100f00044d515454044200000001630000'],
  ),
  stricter('SUBSCRIBE without a filter [MQTT-3.8.3-2]', 'It gives a packet with an empty list.', [
    4,
    '82020001',
  ]),
  stricter(
    'UNSUBSCRIBE without a filter [MQTT-3.10.3-2]',
    'It gives a packet with an empty list.',
    [4, 'a2020001'],
  ),
  stricter('SUBACK without a reason code', 'It gives a packet with an empty list.', [
    4,
    '90020001',
  ]),
  stricter('UNSUBACK without a reason code', 'It gives a packet with an empty list.', [
    5,
    'b003000100',
  ]),
  stricter(
    'the protocol or its level is not supported',
    'It takes levels 4 and 5 of "MQIsdp", level 3 of "MQTT", and the bridge bit of mosquitto.',
    [4, '100c00044d515454840200000000'],
  ),
  {
    name: 'AUTH of remaining length 0',
    why: 'It refuses what section 3.15.2.1 allows: the reason is then Success.',
    example: [5, 'f000'],
    applies: (ours, { isRefused }) => ours.kind === 'auth' && ours.reasonCode === 0 && isRefused,
  },
  {
    name: 'DISCONNECT with Bad authentication method',
    why: 'It refuses 0x8C, which table 2-6 allows; the table of section 3.14.2.1 forgets it.',
    example: [5, 'e0028c00'],
    applies: (ours, { isRefused }) =>
      ours.kind === 'disconnect' && ours.reasonCode === 0x8c && isRefused,
  },
  {
    name: 'Session Present in MQTT 3.1',
    why: 'It reads the flag in every version; MQTT 3.1 has none, and the byte is not used.',
    example: [3, '20020100'],
    applies: (ours, { version, isRefused }) =>
      ours.kind === 'connack' && version === 3 && !isRefused,
  },
  {
    name: 'unused flags of MQTT 3.1',
    why: 'It refuses them by the rules of MQTT 3.1.1; MQTT 3.1 gives them no meaning and marks retries with DUP.',
    example: [3, 'c900'],
    applies: (ours, { version, isRefused }) =>
      isRefused && (version === 3 || (ours.kind === 'connect' && ours.version === 3)),
  },
];

/** The first difference that applies; undefined when none explains it. */
export function differenceBetween(
  ours: Packet | DecodeFailure,
  about: ComparisonContext,
): string | undefined {
  return DIFFERENCES.find(({ applies }) => applies(ours, about))?.name;
}
