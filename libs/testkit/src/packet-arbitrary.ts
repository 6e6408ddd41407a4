import fc from 'fast-check';
import {
  REASON,
  UserProperties,
  isReasonCodeOf,
  type Packet,
  type ProtocolVersion,
  type PublishProperties,
  type ReasonCode,
  type ReasonHolder,
  type UserProperty,
} from '#libs/mqtt-codec';

/*
 * Arbitrary packets that obey every rule a decoder checks, in the form in which it gives them back: a version's
 * missing fields have their defaults, and no properties are none, not an empty object.
 */

const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((value) => !value.includes('\0'));
const topic = text
  .filter((value) => !/[#+]/.test(value))
  .map((value) => (value === '' ? 'a/b' : value));
const bytes = fc.uint8Array({ maxLength: 24 }).map((value) => Buffer.from(value));
const seconds = fc.nat(0xffff_ffff);
const twoBytes = fc.nat(0xffff);
const packetId = fc.integer({ min: 1, max: 0xffff });
const qos = fc.constantFrom(0 as const, 1 as const, 2 as const);
const bit = fc.constantFrom(0 as const, 1 as const);
const userProperties = fc.array(
  fc.tuple(text, text).map((pair): UserProperty => pair),
  {
    minLength: 1,
    maxLength: 3,
  },
);
const login = fc.oneof(
  fc.constant({}),
  fc.record({ authenticationMethod: text }),
  fc.record({ authenticationMethod: text, authenticationData: bytes }),
);

/** A record of which any field may be absent. */
function partial<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return fc.record(model, { requiredKeys: [] });
}

/** Sets `properties` if there are any and the version has them. */
function propertied<P extends object, Q extends object>(
  version: ProtocolVersion,
  packet: fc.Arbitrary<P>,
  properties: fc.Arbitrary<Q>,
): fc.Arbitrary<P & { properties?: Q }> {
  if (version < 5) return packet;
  return fc
    .tuple(packet, properties)
    .map(([base, values]) =>
      Object.keys(values).length === 0 ? base : { ...base, properties: values },
    );
}

const message = {
  payloadFormatIndicator: bit,
  messageExpiryInterval: seconds,
  contentType: text,
  responseTopic: topic,
  correlationData: bytes,
  userProperties,
};

/** As PUBLISH has them when it is decoded. */
const received = userProperties.map((pairs) => UserProperties.of(pairs));
const published = { ...message, userProperties: received };

/** The properties that a message may keep: neither topic alias nor subscription identifiers. */
export const messagePropertiesArbitrary: fc.Arbitrary<PublishProperties> = partial(published);

/** A topic name. */
export const topicArbitrary: fc.Arbitrary<string> = topic;

/** A text that UTF-8 and MQTT can carry. */
export const textArbitrary: fc.Arbitrary<string> = text;

const reasons = partial({ reasonString: text, userProperties });

function reasonCode(holder: ReasonHolder, version: ProtocolVersion): fc.Arbitrary<ReasonCode> {
  const codes = Object.values(REASON).filter((code) => isReasonCodeOf(holder, code));
  return version === 5 ? fc.constantFrom(...codes) : fc.constant(REASON.success);
}

function connect(version: ProtocolVersion) {
  const will = propertied(
    version,
    fc.record({ topic, payload: bytes, qos, retain: fc.boolean() }),
    partial({ ...message, willDelayInterval: seconds }),
  );
  const password = fc.record({ username: text, password: bytes });
  const logins = fc.oneof(fc.constant({}), fc.record({ username: text }), password);
  const base = fc.record({
    kind: fc.constant('connect' as const),
    version: fc.constant(version),
    cleanStart: fc.boolean(),
    keepAlive: twoBytes,
    clientId: text,
  });
  const limits = partial({
    sessionExpiryInterval: seconds,
    receiveMaximum: packetId,
    maximumPacketSize: fc.integer({ min: 1, max: 0xffff_ffff }),
    topicAliasMaximum: twoBytes,
    requestResponseInformation: fc.boolean(),
    requestProblemInformation: fc.boolean(),
    userProperties,
  });
  return propertied(
    version,
    fc
      .tuple(base, partial({ will }), logins)
      .map(([always, last, names]) => ({ ...always, ...last, ...names })),
    fc.tuple(limits, login).map(([values, method]) => ({ ...values, ...method })),
  );
}

function connack(version: ProtocolVersion) {
  const returnCodes = [0x00, 0x84, 0x85, 0x88, 0x86, 0x87] as const;
  const values = partial({
    sessionExpiryInterval: seconds,
    receiveMaximum: packetId,
    maximumQoS: bit,
    retainAvailable: fc.boolean(),
    maximumPacketSize: packetId,
    assignedClientIdentifier: text,
    topicAliasMaximum: twoBytes,
    reasonString: text,
    userProperties,
    wildcardSubscriptionAvailable: fc.boolean(),
    subscriptionIdentifiersAvailable: fc.boolean(),
    sharedSubscriptionAvailable: fc.boolean(),
    serverKeepAlive: twoBytes,
    responseInformation: text,
    serverReference: text,
  });
  const base = fc.record({
    kind: fc.constant('connack' as const),
    sessionPresent: version > 3 ? fc.boolean() : fc.constant(false),
    reasonCode:
      version === 5 ? reasonCode('connack', version) : fc.constantFrom<ReasonCode>(...returnCodes),
  });
  return propertied(
    version,
    base,
    fc.tuple(values, login).map(([some, method]) => ({ ...some, ...method })),
  );
}

function publish(version: ProtocolVersion) {
  const base = fc
    .record({
      kind: fc.constant('publish' as const),
      dup: fc.boolean(),
      qos,
      retain: fc.boolean(),
      topic,
      packetId,
      payload: bytes,
    })
    .map((packet) => (packet.qos === 0 ? { ...packet, dup: false, packetId: 0 } : packet));
  const identifiers = fc.array(fc.integer({ min: 1, max: 268_435_455 }), {
    minLength: 1,
    maxLength: 3,
  });
  return propertied(
    version,
    base,
    partial({ ...published, topicAlias: packetId, subscriptionIdentifiers: identifiers }),
  );
}

function ack(kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp', version: ProtocolVersion) {
  const base = fc.record({
    kind: fc.constant(kind),
    packetId,
    reasonCode: reasonCode(kind, version),
  });
  return propertied(version, base, reasons);
}

function subscribe(version: ProtocolVersion) {
  const isFive = version === 5;
  const subscription = fc.record({
    filter: text,
    qos,
    noLocal: isFive ? fc.boolean() : fc.constant(false),
    retainAsPublished: isFive ? fc.boolean() : fc.constant(false),
    retainHandling: isFive ? qos : fc.constant(0 as const),
  });
  return propertied(
    version,
    fc.record({
      kind: fc.constant('subscribe' as const),
      packetId,
      subscriptions: fc.array(subscription, { minLength: 1, maxLength: 4 }),
    }),
    partial({ subscriptionIdentifier: fc.integer({ min: 1, max: 268_435_455 }), userProperties }),
  );
}

function suback(version: ProtocolVersion) {
  const code =
    version === 5
      ? reasonCode('suback', version)
      : fc.constantFrom<ReasonCode>(0x00, 0x01, 0x02, 0x80);
  return propertied(
    version,
    fc.record({
      kind: fc.constant('suback' as const),
      packetId,
      reasonCodes: fc.array(code, { minLength: 1, maxLength: 4 }),
    }),
    reasons,
  );
}

function unsubscribe(version: ProtocolVersion) {
  return propertied(
    version,
    fc.record({
      kind: fc.constant('unsubscribe' as const),
      packetId,
      filters: fc.array(text, { minLength: 1, maxLength: 4 }),
    }),
    partial({ userProperties }),
  );
}

function unsuback(version: ProtocolVersion) {
  const codes = fc.array(reasonCode('unsuback', version), { minLength: 1, maxLength: 4 });
  return propertied(
    version,
    fc.record({
      kind: fc.constant('unsuback' as const),
      packetId,
      reasonCodes: version === 5 ? codes : fc.constant([]),
    }),
    reasons,
  );
}

function disconnect(version: ProtocolVersion) {
  return propertied(
    version,
    fc.record({
      kind: fc.constant('disconnect' as const),
      reasonCode: reasonCode('disconnect', version),
    }),
    partial({
      sessionExpiryInterval: seconds,
      serverReference: text,
      reasonString: text,
      userProperties,
    }),
  );
}

function auth(version: ProtocolVersion) {
  return propertied(
    version,
    fc.record({ kind: fc.constant('auth' as const), reasonCode: reasonCode('auth', version) }),
    fc.tuple(reasons, login).map(([values, method]) => ({ ...values, ...method })),
  );
}

/** Any valid packet of a version. */
export function packetArbitrary(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const packets: fc.Arbitrary<Packet>[] = [
    connect(version),
    connack(version),
    publish(version),
    ack('puback', version),
    ack('pubrec', version),
    ack('pubrel', version),
    ack('pubcomp', version),
    subscribe(version),
    suback(version),
    unsubscribe(version),
    unsuback(version),
    disconnect(version),
    fc.constantFrom<Packet>({ kind: 'pingreq' }, { kind: 'pingresp' }),
  ];
  return fc.oneof(...packets, ...(version === 5 ? [auth(version)] : []));
}
