import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';
import type {
  AuthPacket,
  ConnackProperties,
  ConnectProperties,
  DisconnectPacket,
  PublishProperties,
  ReasonProperties,
  SubscribePacket,
  UnsubscribePacket,
  WillProperties,
} from './packet.ts';
import { REASON, type ReasonCode } from './reason-code.ts';
import { decodeTopicName } from './topic-name.ts';
import {
  USER_PROPERTY,
  UserProperties,
  passUserProperties,
  writeUserProperties,
  type UserProperty,
} from './user-properties.ts';

/** What carries properties: a packet, or the will inside CONNECT. */
interface Properties {
  readonly connect: ConnectProperties;
  readonly will: WillProperties;
  readonly connack: ConnackProperties;
  readonly publish: PublishProperties;
  readonly puback: ReasonProperties;
  readonly pubrec: ReasonProperties;
  readonly pubrel: ReasonProperties;
  readonly pubcomp: ReasonProperties;
  readonly subscribe: NonNullable<SubscribePacket['properties']>;
  readonly suback: ReasonProperties;
  readonly unsubscribe: NonNullable<UnsubscribePacket['properties']>;
  readonly unsuback: ReasonProperties;
  readonly disconnect: NonNullable<DisconnectPacket['properties']>;
  readonly auth: NonNullable<AuthPacket['properties']>;
}

type Holder = keyof Properties;

/** How the value of a property stands in the bytes. */
interface ValueType<Value> {
  read(reader: ByteReader): Value;
  write(writer: ByteWriter, value: Value): void;
}

interface Property {
  readonly id: number;
  readonly name: string;
  readonly type: ValueType<unknown>;
  readonly holders: readonly Holder[];
  /** A repeatable property is an array, in the order received. */
  readonly repeatable: boolean;
}

const BIT: ValueType<0 | 1> = {
  read(reader) {
    const value = reader.byte();
    if (value === 0 || value === 1) return value;
    reader.fail(REASON.protocolError, 'a property that is 0 or 1 has another value');
    return 0;
  },
  write: (writer, value) => writer.byte(value),
};

const BOOLEAN: ValueType<boolean> = {
  read: (reader) => BIT.read(reader) === 1,
  write: (writer, value) => writer.byte(value ? 1 : 0),
};

const TWO_BYTES: ValueType<number> = {
  read: (reader) => reader.twoBytes(),
  write: (writer, value) => writer.twoBytes(value),
};

const FOUR_BYTES: ValueType<number> = {
  read: (reader) => reader.fourBytes(),
  write: (writer, value) => writer.fourBytes(value),
};

const VARIABLE: ValueType<number> = {
  read: (reader) => reader.variableByteInteger(),
  write: (writer, value) => writer.variableByteInteger(value),
};

const TEXT: ValueType<string> = {
  read: (reader) => reader.text(),
  write: (writer, value) => writer.text(value),
};

const TOPIC: ValueType<string> = { ...TEXT, read: decodeTopicName };

const BINARY: ValueType<Uint8Array> = {
  read: (reader) => reader.binary(),
  write: (writer, value) => writer.binary(value),
};

const PAIR: ValueType<UserProperty> = {
  read: (reader) => [reader.text(), reader.text()],
  write(writer, [name, value]) {
    writer.text(name);
    writer.text(value);
  },
};

function notZero(type: ValueType<number>, reasonCode: ReasonCode): ValueType<number> {
  return {
    ...type,
    read(reader) {
      const value = type.read(reader);
      if (value === 0) reader.fail(reasonCode, 'a property that must not be 0 is 0');
      return value;
    },
  };
}

const NOT_ZERO_TWO_BYTES = notZero(TWO_BYTES, REASON.protocolError);
const NOT_ZERO_FOUR_BYTES = notZero(FOUR_BYTES, REASON.protocolError);
const NOT_ZERO_VARIABLE = notZero(VARIABLE, REASON.protocolError);
/** [MQTT-3.3.2-8]: a topic alias of 0 is not permitted. */
const TOPIC_ALIAS = notZero(TWO_BYTES, REASON.topicAliasInvalid);

const ANSWERS: readonly Holder[] = [
  'connack',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'suback',
  'unsuback',
  'disconnect',
  'auth',
];
const EVERYWHERE: readonly Holder[] = [
  ...ANSWERS,
  'connect',
  'will',
  'publish',
  'subscribe',
  'unsubscribe',
];
const MESSAGES: readonly Holder[] = ['publish', 'will'];
const EXPIRING: readonly Holder[] = ['connect', 'connack', 'disconnect'];
const LOGINS: readonly Holder[] = ['connect', 'connack', 'auth'];
const LIMITS: readonly Holder[] = ['connect', 'connack'];
const REFERRALS: readonly Holder[] = ['connack', 'disconnect'];

function once(
  id: number,
  name: string,
  { type, holders }: Pick<Property, 'type' | 'holders'>,
): Property {
  return { id, name, type, holders, repeatable: false };
}

/** Table 2-4 of the MQTT 5 specification (section 2.2.2.2). */
const PROPERTIES: readonly Property[] = [
  once(0x01, 'payloadFormatIndicator', { type: BIT, holders: MESSAGES }),
  once(0x02, 'messageExpiryInterval', { type: FOUR_BYTES, holders: MESSAGES }),
  once(0x03, 'contentType', { type: TEXT, holders: MESSAGES }),
  once(0x08, 'responseTopic', { type: TOPIC, holders: MESSAGES }),
  once(0x09, 'correlationData', { type: BINARY, holders: MESSAGES }),
  {
    id: 0x0b,
    name: 'subscriptionIdentifiers',
    type: NOT_ZERO_VARIABLE,
    holders: ['publish'],
    repeatable: true,
  },
  once(0x0b, 'subscriptionIdentifier', { type: NOT_ZERO_VARIABLE, holders: ['subscribe'] }),
  once(0x11, 'sessionExpiryInterval', { type: FOUR_BYTES, holders: EXPIRING }),
  once(0x12, 'assignedClientIdentifier', { type: TEXT, holders: ['connack'] }),
  once(0x13, 'serverKeepAlive', { type: TWO_BYTES, holders: ['connack'] }),
  once(0x15, 'authenticationMethod', { type: TEXT, holders: LOGINS }),
  once(0x16, 'authenticationData', { type: BINARY, holders: LOGINS }),
  once(0x17, 'requestProblemInformation', { type: BOOLEAN, holders: ['connect'] }),
  once(0x18, 'willDelayInterval', { type: FOUR_BYTES, holders: ['will'] }),
  once(0x19, 'requestResponseInformation', { type: BOOLEAN, holders: ['connect'] }),
  once(0x1a, 'responseInformation', { type: TEXT, holders: ['connack'] }),
  once(0x1c, 'serverReference', { type: TEXT, holders: REFERRALS }),
  once(0x1f, 'reasonString', { type: TEXT, holders: ANSWERS }),
  once(0x21, 'receiveMaximum', { type: NOT_ZERO_TWO_BYTES, holders: LIMITS }),
  once(0x22, 'topicAliasMaximum', { type: TWO_BYTES, holders: LIMITS }),
  once(0x23, 'topicAlias', { type: TOPIC_ALIAS, holders: ['publish'] }),
  once(0x24, 'maximumQoS', { type: BIT, holders: ['connack'] }),
  once(0x25, 'retainAvailable', { type: BOOLEAN, holders: ['connack'] }),
  { id: USER_PROPERTY, name: 'userProperties', type: PAIR, holders: EVERYWHERE, repeatable: true },
  once(0x27, 'maximumPacketSize', { type: NOT_ZERO_FOUR_BYTES, holders: LIMITS }),
  once(0x28, 'wildcardSubscriptionAvailable', { type: BOOLEAN, holders: ['connack'] }),
  once(0x29, 'subscriptionIdentifiersAvailable', { type: BOOLEAN, holders: ['connack'] }),
  once(0x2a, 'sharedSubscriptionAvailable', { type: BOOLEAN, holders: ['connack'] }),
];

const BY_HOLDER = new Map(
  EVERYWHERE.map((holder) => {
    const list = PROPERTIES.filter((property) => property.holders.includes(holder));
    return [holder, { list, byId: new Map(list.map((property) => [property.id, property])) }];
  }),
);

const PUBLISH_BY_ID = BY_HOLDER.get('publish')?.byId;

/**
 * Reads a property length and its properties (section 2.2.2).
 *
 * @returns undefined when there are none.
 */
export function decodeProperties<H extends Exclude<Holder, 'publish'>>(
  reader: ByteReader,
  holder: H,
): Properties[H] | undefined {
  const end = propertiesEnd(reader);
  if (end < 0) return undefined;
  const values: Record<string, unknown> = {};
  while (reader.offset < end) {
    const id = reader.variableByteInteger();
    decodeProperty(reader, BY_HOLDER.get(holder)?.byId.get(id), values);
  }
  expectPropertiesEnd(reader, end);
  if (values['authenticationData'] !== undefined && values['authenticationMethod'] === undefined) {
    reader.fail(REASON.protocolError, 'authentication data comes without a method');
  }
  // The table gives each name the type that its holder declares.
  return values as Properties[H];
}

/**
 * The same for PUBLISH, whose user properties are checked and left as they are.
 *
 * @returns undefined when there are none.
 */
export function decodePublishProperties(reader: ByteReader): PublishProperties | undefined {
  const end = propertiesEnd(reader);
  if (end < 0) return undefined;
  let values: Record<string, unknown> | undefined;
  let earlier: UserProperties[] | undefined;
  let runStart = -1;
  let runEnd = -1;
  while (reader.offset < end) {
    const start = reader.offset;
    reader.offset = passUserProperties(reader.bytes, start, end);
    if (reader.offset === start) {
      const id = reader.variableByteInteger();
      if (id !== USER_PROPERTY) {
        values ??= {};
        decodeProperty(reader, PUBLISH_BY_ID?.get(id), values);
        continue;
      }
      PAIR.read(reader);
    }
    if (start !== runEnd && runEnd !== -1) {
      earlier ??= [];
      earlier.push(new UserProperties(reader.bytes, runStart, runEnd));
    }
    if (start !== runEnd) runStart = start;
    runEnd = reader.offset;
  }
  expectPropertiesEnd(reader, end);
  if (runEnd === -1) return values;
  const last = new UserProperties(reader.bytes, runStart, runEnd);
  const userProperties = earlier === undefined ? last : UserProperties.join([...earlier, last]);
  return values === undefined ? { userProperties } : { ...values, userProperties };
}

/** Where the properties end; -1 when there are none. */
function propertiesEnd(reader: ByteReader): number {
  const length = reader.variableByteInteger();
  if (length === 0) return -1;
  const end = reader.offset + length;
  if (end <= reader.end) return end;
  reader.fail(REASON.malformedPacket, 'the packet ends within its properties');
  return -1;
}

function expectPropertiesEnd(reader: ByteReader, end: number): void {
  if (reader.offset === end) return;
  reader.fail(REASON.malformedPacket, 'a property reaches beyond the property length');
}

function decodeProperty(
  reader: ByteReader,
  property: Property | undefined,
  values: Record<string, unknown>,
): void {
  if (property === undefined) {
    reader.fail(REASON.malformedPacket, 'a property does not belong to this packet');
    return;
  }
  const { name, type, repeatable } = property;
  const value = type.read(reader);
  const earlier = values[name];
  if (earlier === undefined) {
    values[name] = repeatable ? [value] : value;
  } else if (Array.isArray(earlier) && repeatable) {
    earlier.push(value);
  } else {
    reader.fail(REASON.protocolError, 'a property is repeated that must not be');
  }
}

/** Writes the property length and the properties, in the order of their identifiers; others than the holder's are left out. */
export function encodeProperties<H extends Holder>(
  writer: ByteWriter,
  holder: H,
  properties: Properties[H] | undefined,
): void {
  const start = writer.offset;
  writer.byte(0);
  if (properties === undefined) return;
  if (hasOnlyUserProperties(properties)) {
    writeUserProperties(writer, properties.userProperties ?? []);
    writer.prefixLength(start);
    return;
  }
  const values: Readonly<Record<string, unknown>> = { ...properties };
  for (const property of BY_HOLDER.get(holder)?.list ?? []) {
    const value = values[property.name];
    if (value === undefined) continue;
    if (value instanceof UserProperties) {
      value.writeTo(writer);
      continue;
    }
    for (const single of property.repeatable && Array.isArray(value) ? value : [value]) {
      writer.variableByteInteger(property.id);
      property.type.write(writer, single);
    }
  }
  writer.prefixLength(start);
}

function hasOnlyUserProperties(values: object): boolean {
  for (const name in values) if (name !== 'userProperties') return false;
  return true;
}
