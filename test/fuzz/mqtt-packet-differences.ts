import { isDeepStrictEqual } from 'node:util';
import type { ProtocolVersion } from '#libs/mqtt-codec';
import {
  hasBadFlag,
  hasBadPropertyTopic,
  hasBadText,
  hasForeignProperty,
  hasForeignReason,
  hasOtherProtocol,
  hasRepeatedProperty,
  hasZero,
  headerBytes,
  isWrittenAgain,
  isWrittenOtherwise,
  type Evidence,
  type Reading,
} from './mqtt-packet-evidence.ts';
import { comparableForm, parseByMqttPacket, translate, type Theirs } from './mqtt-packet-reader.ts';

/** A kind of bytes that this codec and npm's mqtt-packet see differently, and why ours is what MQTT asks for. */
export interface Difference {
  readonly name: string;
  readonly why: string;
  readonly example: Example;
  /** Does not take our word for it: it looks at the bytes and at what mqtt-packet makes of them. */
  readonly applies: (reading: Reading) => boolean;
}

/** Bytes that the two see differently, in a connection of a version. */
type Example = readonly [version: ProtocolVersion, hex: string];

/**
 * We refuse with this message, and mqtt-packet gives a packet that shows that we are right, or that it would not have
 * written in these bytes.
 */
function stricter(
  name: string,
  why: string,
  { example, shows }: { readonly example: Example; readonly shows?: Evidence },
): Difference {
  const applies = (reading: Reading): boolean =>
    reading.ours.kind === 'failure' &&
    reading.ours.message === name &&
    reading.theirs !== undefined &&
    (shows?.(reading.theirs, reading) === true || !isWrittenAgain(reading.theirs, reading));
  return { name, why, example, applies };
}

/** We give a packet and mqtt-packet does not, until the bytes are changed so that it agrees with ours. */
function milder(
  name: string,
  why: string,
  {
    example,
    changed,
  }: { readonly example: Example; readonly changed: (reading: Reading) => Reading | undefined },
): Difference {
  const applies = (reading: Reading): boolean => {
    if (reading.ours.kind === 'failure' || reading.theirs !== undefined) return false;
    const other = changed(reading);
    if (other === undefined || other.ours.kind === 'failure') return false;
    const theirs = parseByMqttPacket(other.bytes, other.version);
    if (theirs === undefined || isWrittenOtherwise(theirs, other)) return false;
    return isDeepStrictEqual(comparableForm(other.ours), translate(theirs, other.version));
  };
  return { name, why, example, applies };
}

function withByte(bytes: Uint8Array, place: number, change: (byte: number) => number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[place] = change(bytes[place] ?? 0);
  return changed;
}

/**
 * The flags of the fixed header as MQTT 3.1.1 has them; those of CONNECT and CONNACK cleared that MQTT 3.1 does not use
 * or that stand for nothing.
 */
function withoutUnusedFlags({ ours, bytes }: Reading): Uint8Array {
  const required = ['pubrel', 'subscribe', 'unsubscribe'].includes(ours.kind) ? 0x02 : 0;
  const plain = withByte(bytes, 0, (byte) => (byte & 0xf0) | required);
  const body = headerBytes(bytes);
  if (ours.kind === 'connack') return withByte(plain, body, () => 0);
  if (ours.kind !== 'connect') return plain;
  const flags = body + 'xxMQIsdp'.length + 1;
  return withByte(plain, flags, (byte) => {
    const ofWill = ours.will === undefined ? 0 : byte & 0x3c;
    const ofUser =
      (ours.username === undefined ? 0 : 0x80) | (ours.password === undefined ? 0 : 0x40);
    return ofUser | ofWill | (byte & 0x02);
  });
}

const isEmpty = (list: unknown): boolean => Array.isArray(list) && list.length === 0;

/** DISCONNECT, with the property length that may be left out. */
const NOT_AUTHORIZED = Buffer.from('e0028700', 'hex');

/** The differences, one by one. */
export const DIFFERENCES: readonly Difference[] = [
  stricter(
    'bytes after the last field',
    'It skips what is left of a packet; a packet that cannot be parsed by the specification is malformed (section 1.2).',
    { example: [4, 'c00100'] },
  ),
  stricter(
    'the packet ends within a field',
    'It reads a field on into the next packet, or takes the field as empty (section 1.2: Malformed Packet).',
    { example: [4, '4000'] },
  ),
  stricter(
    'the packet ends within its properties',
    'It reads properties on into the next packet; their length is part of this one (section 2.2.2.1).',
    { example: [5, '900300010122'] },
  ),
  stricter(
    'a property reaches beyond the property length',
    'It does not compare the property length with what it has read (section 2.2.2.1).',
    { example: [5, 'f0051802150000'] },
  ),
  stricter(
    'a text is not well-formed UTF-8',
    'It reads ill-formed UTF-8 as replacement characters, and lets U+0000 pass [MQTT-1.5.4-1] [MQTT-1.5.4-2].',
    { example: [4, '3003000100'], shows: hasBadText },
  ),
  stricter(
    'a variable byte integer is invalid',
    'It takes property lengths and identifiers of more bytes than needed [MQTT-1.5.5-1].',
    { example: [5, 'b00400018000'] },
  ),
  stricter(
    'the remaining length is invalid',
    'It takes a remaining length of more bytes than needed [MQTT-1.5.5-1].',
    { example: [4, 'c08000'] },
  ),
  stricter('the packet identifier is 0', 'It takes identifier 0 [MQTT-2.2.1-3].', {
    example: [4, '40020000'],
    shows: ({ messageId }) => messageId === 0,
  }),
  stricter('DUP is set with QoS 0 [MQTT-3.3.1-2]', 'It takes DUP as it is.', {
    example: [4, '3803000174'],
    shows: ({ dup, qos }) => dup === true && qos === 0,
  }),
  stricter(
    'the topic is empty and no alias stands for it',
    'It leaves the Protocol Error of section 3.3.2.1 to its user.',
    {
      example: [4, '30020000'],
      shows: ({ topic, properties }) =>
        topic === '' && (properties as Theirs | undefined)?.['topicAlias'] === undefined,
    },
  ),
  stricter(
    'the topic holds a wildcard [MQTT-3.3.2-2]',
    'It leaves topic names to its user; names hold no wildcards.',
    {
      example: [4, '3003000123'],
      shows: ({ topic }) => /[+#]/.test(String(topic)),
    },
  ),
  stricter(
    'a topic name is empty or holds a wildcard',
    'It leaves will topics and response topics to its user [MQTT-3.3.2-14].',
    { example: [5, '300700017403080000'], shows: hasBadPropertyTopic },
  ),
  stricter('QoS 3 does not exist', 'It takes QoS 3 of a will [MQTT-3.1.2-12].', {
    example: [4, '101200044d515454041e00000001630001740000'],
    shows: ({ will }) => (will as Theirs | undefined)?.['qos'] === 3,
  }),
  stricter(
    'a property that is 0 or 1 has another value',
    'It takes every other value for 1, where MQTT has a Protocol Error (sections 3.1.2.11.6 and 7, 3.2.2.3, 3.3.2.3.2).',
    { example: [5, '20050000022a02'], shows: hasBadFlag },
  ),
  stricter(
    'a property that must not be 0 is 0',
    'It takes Receive Maximum, Maximum Packet Size, Topic Alias and Subscription Identifier 0 [MQTT-3.3.2-8].',
    { example: [5, '82050001020b00'], shows: hasZero },
  ),
  stricter(
    'a property is repeated that must not be',
    'It makes a list of the values; section 2.2.2.2 calls it a Protocol Error.',
    { example: [5, '320a00017400010301000100'], shows: hasRepeatedProperty },
  ),
  stricter(
    'a property does not belong to this packet',
    'It reads every property in every packet (table 2-4).',
    { example: [5, 'e003000117'], shows: hasForeignProperty },
  ),
  stricter(
    'authentication data comes without a method',
    'It leaves the Protocol Error of section 3.1.2.11.10 to its user.',
    {
      example: [5, 'f0051803160000'],
      shows: ({ properties }) => {
        const { authenticationData, authenticationMethod } = (properties ?? {}) as Theirs;
        return authenticationData !== undefined && authenticationMethod === undefined;
      },
    },
  ),
  stricter(
    'the reason code does not belong to this packet',
    'It checks reason codes of some packets, and takes those of others (table 2-6).',
    { example: [5, '2003001000'], shows: hasForeignReason },
  ),
  stricter('the return code is reserved', 'It takes every return code of CONNACK (table 3.1).', {
    example: [4, '20020006'],
    shows: ({ returnCode }) => Number(returnCode) > 5,
  }),
  stricter(
    'a password comes without a user name [MQTT3-3.1.2-22]',
    'MQTT 3.1.1 forbids it, MQTT 5 allows it; it does not tell them apart.',
    {
      example: [4, '100f00044d515454044200000001630000'],
      shows: ({ username, password }) => password !== undefined && username === undefined,
    },
  ),
  stricter('SUBSCRIBE without a filter [MQTT-3.8.3-2]', 'It gives a packet with an empty list.', {
    example: [4, '82020001'],
    shows: ({ subscriptions }) => isEmpty(subscriptions),
  }),
  stricter(
    'UNSUBSCRIBE without a filter [MQTT-3.10.3-2]',
    'It gives a packet with an empty list.',
    { example: [4, 'a2020001'], shows: ({ unsubscriptions }) => isEmpty(unsubscriptions) },
  ),
  stricter(
    'SUBACK without a reason code',
    'It gives a packet with an empty list; there is one code for each filter (section 3.9.3).',
    {
      example: [4, '90020001'],
      shows: ({ granted }) => isEmpty(granted),
    },
  ),
  stricter(
    'UNSUBACK without a reason code',
    'It gives a packet with an empty list; there is one code for each filter (section 3.11.3).',
    {
      example: [5, 'b003000100'],
      shows: ({ granted }) => isEmpty(granted),
    },
  ),
  stricter(
    'the protocol or its level is not supported',
    'It takes levels 4 and 5 of "MQIsdp", level 3 of "MQTT", and the bridge bit of mosquitto [MQTT-3.1.2-1] [MQTT-3.1.2-2].',
    { example: [4, '100c00044d515454840200000000'], shows: hasOtherProtocol },
  ),
  milder(
    'AUTH of remaining length 0',
    'It refuses what section 3.15.2.1 allows: the reason is then Success.',
    {
      example: [5, 'f000'],
      changed: (reading) => {
        if (Buffer.from(reading.bytes).toString('hex') !== 'f000') return undefined;
        return { ...reading, bytes: Buffer.from('f0020000', 'hex') };
      },
    },
  ),
  milder(
    'DISCONNECT with Bad authentication method',
    'It refuses 0x8C, which table 2-6 allows; the table of section 3.14.2.1 forgets it.',
    {
      example: [5, 'e0028c00'],
      changed: (reading) => {
        const { ours, bytes } = reading;
        if (ours.kind !== 'disconnect' || ours.reasonCode !== 0x8c) return undefined;
        const place = headerBytes(bytes);
        const isShort = bytes[1] === 1;
        const changed = isShort ? NOT_AUTHORIZED : withByte(bytes, place, () => 0x87);
        return { ...reading, ours: { ...ours, reasonCode: 0x87 }, bytes: changed };
      },
    },
  ),
  {
    name: 'Session Present in MQTT 3.1',
    why: 'It reads the flag in every version; MQTT 3.1 has none, and the byte is not used (its section 3.2).',
    example: [3, '20020100'],
    applies: ({ ours, theirs, version }) =>
      ours.kind === 'connack' &&
      version === 3 &&
      isDeepStrictEqual(
        comparableForm(ours),
        theirs && translate({ ...theirs, sessionPresent: false }, version),
      ),
  },
  milder(
    'flags of MQTT 3.1',
    'It has the rules of MQTT 3.1.1. In MQTT 3.1 unused flags have no meaning, DUP marks retries, and a user name or password whose flag is set may be missing (its sections 2.1 and 3.1).',
    {
      example: [3, 'c900'],
      changed: (reading) => {
        const { ours, version } = reading;
        const isOld = version === 3 || (ours.kind === 'connect' && ours.version === 3);
        return isOld ? { ...reading, bytes: withoutUnusedFlags(reading) } : undefined;
      },
    },
  ),
];

/** The first difference that applies; undefined when none explains it. */
export function differenceBetween(reading: Reading): string | undefined {
  return DIFFERENCES.find(({ applies }) => applies(reading))?.name;
}
