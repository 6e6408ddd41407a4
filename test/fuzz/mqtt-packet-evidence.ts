import mqttPacket, { type Packet as TheirPacket } from 'mqtt-packet';
import type { DecodeFailure, Packet, ProtocolVersion } from '#libs/mqtt-codec';
import type { Theirs } from './mqtt-packet-reader.ts';

/** What two decoders make of the first packet in some bytes. */
export interface Reading {
  readonly ours: Packet | DecodeFailure;
  /** Undefined when mqtt-packet refuses the bytes. */
  readonly theirs: Theirs | undefined;
  /** From the first packet on; mqtt-packet may have read beyond its end. */
  readonly bytes: Uint8Array;
  readonly version: ProtocolVersion;
}

/** Shows in what mqtt-packet has read what MQTT has to say of the bytes, whatever our decoder says. */
export type Evidence = (theirs: Theirs, reading: Reading) => boolean;

/** Where the fixed header ends. */
export function headerBytes(bytes: Uint8Array): number {
  let end = 1;
  while ((bytes[end] ?? 0) > 0x7f) end += 1;
  return end + 1;
}

function frameOf(bytes: Uint8Array): Uint8Array {
  const start = headerBytes(bytes);
  const digits = bytes.subarray(1, start);
  const length = digits.reduce((sum, digit, place) => sum + (digit & 0x7f) * 128 ** place, 0);
  return bytes.subarray(0, start + length);
}

/**
 * The bytes are those that mqtt-packet writes for what it has read. It writes properties in the order in which they came,
 * but values of one name together; then the order does not count.
 */
export const isWrittenAgain: Evidence = (theirs, reading) => writtenAs(theirs, reading) === 'same';

/** mqtt-packet writes other bytes, as it also does when it has let some pass. */
export const isWrittenOtherwise: Evidence = (theirs, reading) =>
  writtenAs(theirs, reading) === 'other';

function writtenAs(theirs: Theirs, { bytes, version }: Reading): 'same' | 'other' | 'nothing' {
  const isGrouped = propertiesOf(theirs).some((one) => Object.values(one).some(isGroup));
  const form = (from: Uint8Array): string =>
    Buffer.from(isGrouped ? from.toSorted() : from).toString('latin1');
  try {
    const packet = theirs as unknown as TheirPacket;
    const written = mqttPacket.generate(packet, { protocolVersion: version });
    return form(written) === form(frameOf(bytes)) ? 'same' : 'other';
  } catch {
    return 'nothing';
  }
}

/** Several values, or user properties. */
function isGroup(value: unknown): boolean {
  return typeof value === 'object' && !Buffer.isBuffer(value);
}

/** The properties of a packet, and those of its will. */
function propertiesOf({ properties, will }: Theirs): readonly Theirs[] {
  const ofWill = (will as Theirs | undefined)?.['properties'];
  return [properties, ofWill].filter(
    (one): one is Theirs => typeof one === 'object' && one !== null,
  );
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  return Object.entries(value).flatMap(([name, field]) => [name, ...textsIn(field)]);
}

/** Ill-formed text is not written as it was; U+0000 is. */
export const hasBadText: Evidence = (theirs) => textsIn(theirs).some((text) => text.includes('\0'));

export const hasBadFlag: Evidence = (theirs) =>
  propertiesOf(theirs).some((one) => [one['maximumQoS']].flat().some((value) => Number(value) > 1));

const NOT_ZERO = ['receiveMaximum', 'maximumPacketSize', 'topicAlias', 'subscriptionIdentifier'];

export const hasZero: Evidence = (theirs) =>
  propertiesOf(theirs).some((one) => NOT_ZERO.some((name) => [one[name]].flat().includes(0)));

export const hasRepeatedProperty: Evidence = (theirs) =>
  propertiesOf(theirs).some((one) =>
    Object.entries(one).some(
      ([name, value]) => Array.isArray(value) && !isRepeatable(name, theirs),
    ),
  );

function isRepeatable(name: string, { cmd }: Theirs): boolean {
  return name === 'subscriptionIdentifier' && cmd === 'publish';
}

/** Table 2-4, but for user properties, which may be everywhere. */
const PROPERTIES: Readonly<Record<string, string>> = {
  connect:
    'sessionExpiryInterval authenticationMethod authenticationData requestProblemInformation requestResponseInformation receiveMaximum topicAliasMaximum maximumPacketSize',
  will: 'payloadFormatIndicator messageExpiryInterval contentType responseTopic correlationData willDelayInterval',
  connack:
    'sessionExpiryInterval assignedClientIdentifier serverKeepAlive authenticationMethod authenticationData responseInformation serverReference reasonString receiveMaximum topicAliasMaximum maximumQoS retainAvailable maximumPacketSize wildcardSubscriptionAvailable subscriptionIdentifiersAvailable sharedSubscriptionAvailable',
  publish:
    'payloadFormatIndicator messageExpiryInterval contentType responseTopic correlationData subscriptionIdentifier topicAlias',
  subscribe: 'subscriptionIdentifier',
  unsubscribe: '',
  disconnect: 'sessionExpiryInterval serverReference reasonString',
  auth: 'authenticationMethod authenticationData reasonString',
};

export const hasForeignProperty: Evidence = ({ cmd, properties, will }) => {
  const isForeign = (of: unknown, kind: string): boolean => {
    const known = (PROPERTIES[kind] ?? 'reasonString').split(' ');
    return Object.keys(of ?? {}).some((name) => name !== 'userProperties' && !known.includes(name));
  };
  return (
    isForeign(properties, String(cmd)) ||
    isForeign((will as Theirs | undefined)?.['properties'], 'will')
  );
};

/** What table 2-6 has for CONNACK. */
const CONNACK_CODES = new Set([
  0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97,
  0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
]);

export const hasForeignReason: Evidence = ({ cmd, reasonCode }) =>
  cmd === 'connack' && reasonCode !== undefined && !CONNACK_CODES.has(Number(reasonCode));

export const hasBadPropertyTopic: Evidence = (theirs) => {
  const topics = propertiesOf(theirs).flatMap(({ responseTopic }) => responseTopic);
  const will = theirs['will'] as Theirs | undefined;
  return [...topics, will?.['topic']].some(
    (topic) => typeof topic === 'string' && (topic === '' || /[+#]/.test(topic)),
  );
};

/** Bridges of mosquitto set a bit of the level, which mqtt-packet takes away. */
export const hasOtherProtocol: Evidence = ({ cmd, protocolId, protocolVersion, bridgeMode }) =>
  cmd === 'connect' &&
  (bridgeMode === true ||
    !['MQIsdp 3', 'MQTT 4', 'MQTT 5'].includes(`${String(protocolId)} ${String(protocolVersion)}`));
