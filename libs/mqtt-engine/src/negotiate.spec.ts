import { describe, expect, it } from '@jest/globals';
import { REASON, type ConnectPacket } from '#libs/mqtt-codec';
import { WIDE_LIMITS } from '#libs/testkit';
import {
  OPEN_RULES,
  capExpiry,
  negotiate,
  type ConnectionTerms,
  type EngineLimits,
  type ListenerRules,
} from './index.ts';

type Given = Partial<EngineLimits & ListenerRules>;

function agreed(packet: Partial<ConnectPacket>, given: Given = {}) {
  const negotiation = verdict(packet, given);
  if (negotiation.kind === 'refused') throw new Error(negotiation.detail);
  return negotiation.terms;
}

function verdict(packet: Partial<ConnectPacket>, given: Given = {}) {
  const whole: ConnectPacket = {
    kind: 'connect',
    version: 5,
    cleanStart: true,
    keepAlive: 30,
    clientId: 'c',
    ...packet,
  };
  const rules = { ...OPEN_RULES, ...given };
  return negotiate(
    whole,
    { ...WIDE_LIMITS, ...given },
    { rules, assignClientId: () => 'assigned' },
  );
}

describe('client ids', () => {
  it('are assigned to clients that bring none, and told in MQTT 5 [MQTT-3.2.2-16]', () => {
    const terms = agreed({ clientId: '' });
    expect(terms.clientId).toBe('assigned');
    expect(terms.connackProperties?.assignedClientIdentifier).toBe('assigned');
    expect(agreed({ version: 4, clientId: '' })).toMatchObject({
      clientId: 'assigned',
      connackProperties: undefined,
    });
  });

  it('may not be empty for a session that is kept before MQTT 5 [MQTT3-3.1.3-8]', () => {
    const empty = verdict({ version: 4, clientId: '', cleanStart: false });
    expect(empty).toMatchObject({ reasonCode: REASON.clientIdentifierNotValid });
    expect(agreed({ clientId: '', cleanStart: false }).clientId).toBe('assigned');
  });

  it.each(['a'.repeat(11), 'é'.repeat(6), '😀'.repeat(3)])('have a bound in bytes: %s', (id) => {
    expect(verdict({ clientId: id }, { clientIdBytesMax: 10 })).toMatchObject({
      kind: 'refused',
      reasonCode: REASON.clientIdentifierNotValid,
    });
    expect(agreed({ clientId: id }, { clientIdBytesMax: 12 }).clientId).toBe(id);
  });

  it('of 1 to 23 letters and digits are taken by every version [MQTT-3.1.3-5] [MQTT3-3.1.3-5]', () => {
    const ids = ['a', '0123456789abcdefghijklm', 'nopqrstuvwxyzABCDEFGHIJ', 'KLMNOPQRSTUVWXYZ'];
    for (const version of [3, 4, 5] as const) {
      const taken = ids.map((clientId) => agreed({ version, clientId }, { shortClientIds: true }));
      expect(taken.map(({ clientId }) => clientId)).toEqual(ids);
    }
  });

  it('of MQTT 3.1 may have to have 1 to 23 characters, as that version says', () => {
    const long = 'x'.repeat(24);
    const strict = { shortClientIds: true };
    const refused = { reasonCode: REASON.clientIdentifierNotValid };
    expect(verdict({ version: 3, clientId: long }, strict)).toMatchObject(refused);
    expect(verdict({ version: 3, clientId: '' }, strict)).toMatchObject(refused);
    expect(agreed({ version: 3, clientId: '😀'.repeat(23) }, strict).cleanStart).toBe(true);
    expect(agreed({ version: 4, clientId: long }, strict).clientId).toBe(long);
    expect(agreed({ version: 3, clientId: long }).clientId).toBe(long);
  });
});

describe('sessions', () => {
  const expiryOf = ({ durable, sessionExpirySeconds, connackProperties }: ConnectionTerms) => [
    durable,
    sessionExpirySeconds,
    connackProperties?.sessionExpiryInterval,
  ];

  it('of MQTT 5 live as long as asked, within the bound, which is told', () => {
    const limits = { sessionExpirySecondsMax: 100 };
    const asked = (sessionExpiryInterval: number) =>
      expiryOf(agreed({ properties: { sessionExpiryInterval } }, limits));
    expect(expiryOf(agreed({}, limits))).toEqual([false, 0, undefined]);
    expect(asked(0)).toEqual([false, 0, undefined]);
    expect(asked(100)).toEqual([true, 100, undefined]);
    expect(asked(101)).toEqual([true, 100, 100]);
    expect(asked(0xffff_ffff)).toEqual([true, 100, 100]);
  });

  it('of MQTT 3.1.1 with Clean Session 0 are kept for the maximum age [MQTT3-3.1.2-4]', () => {
    const limits = { persistentSessionMaxAgeSeconds: 7 };
    expect(expiryOf(agreed({ version: 4, cleanStart: false }, limits))).toEqual([
      true,
      7,
      undefined,
    ]);
    expect(expiryOf(agreed({ version: 4 }, limits))).toEqual([false, 0, undefined]);
  });

  it('never outlive the bound, not even those that ask for ever', () => {
    const limits = { ...WIDE_LIMITS, sessionExpirySecondsMax: 9 };
    const capped = (rules: ListenerRules): number[] =>
      [4, 9, 0xffff_ffff].map((seconds) => capExpiry(seconds, limits, rules));
    expect(capped(OPEN_RULES)).toEqual([4, 9, 9]);
    expect(capped({ ...OPEN_RULES, sessionExpirySecondsMax: 5 })).toEqual([4, 5, 5]);
    expect(capped({ ...OPEN_RULES, sessionExpirySecondsMax: 10 })).toEqual([4, 9, 9]);
  });
});

describe('keep-alive', () => {
  it.each([
    { asked: 0, inForce: 60, told: 60 },
    { asked: 59, inForce: 59, told: undefined },
    { asked: 61, inForce: 60, told: 60 },
  ])('of $asked s becomes $inForce s [MQTT-3.2.2-22]', ({ asked, inForce, told }) => {
    const terms = agreed({ keepAlive: asked }, { keepAliveSecondsMax: 60 });
    expect(terms.keepAliveSeconds).toBe(inForce);
    expect(terms.connackProperties?.serverKeepAlive).toBe(told);
  });

  it('stays what it is without a bound, or where it cannot be told', () => {
    expect(agreed({ keepAlive: 0 }).keepAliveSeconds).toBe(0);
    const older = agreed({ version: 4, keepAlive: 600 }, { keepAliveSecondsMax: 60 });
    expect(older.keepAliveSeconds).toBe(600);
  });
});

describe('the rules of a listener', () => {
  const will = { topic: 'w', payload: Buffer.from([0xff]), qos: 1, retain: true } as const;

  it('are told where they forbid something [MQTT-3.2.2-9]', () => {
    const rules = { qosMax: 1, retain: false, wildcardSubscriptions: false } as const;
    expect(agreed({}, rules).connackProperties).toMatchObject({
      maximumQoS: 1,
      retainAvailable: false,
      wildcardSubscriptionAvailable: false,
    });
  });

  it.each([
    ['a QoS above the maximum [MQTT-3.2.2-12]', { qosMax: 0 }, 'qosNotSupported'],
    ['RETAIN where nothing is retained [MQTT-3.2.2-13]', { retain: false }, 'retainNotSupported'],
    ['a payload that is no text', { payloadFormatCheck: true }, 'payloadFormatInvalid'],
  ] as const)('refuse a will with %s', (_, rules, reason) => {
    const declared = { ...will, properties: { payloadFormatIndicator: 1 } } as const;
    expect(verdict({ will: declared }, rules)).toMatchObject({ reasonCode: REASON[reason] });
    expect(agreed({ will: declared }).will).toBe(declared);
    expect(agreed({ will: { ...will, qos: 0, retain: false } }, rules).will?.qos).toBe(0);
  });
});

describe('response information', () => {
  const responseInformation = 'answers/${clientId}/';

  it('is told to those who ask, where there is any [MQTT-3.1.2-28]', () => {
    const told = (requestResponseInformation: boolean, given: Given) =>
      agreed({ properties: { requestResponseInformation } }, given).connackProperties
        ?.responseInformation;
    expect(told(true, { responseInformation })).toBe('answers/c/');
    expect(told(false, { responseInformation })).toBeUndefined();
    expect(agreed({}, { responseInformation }).connackProperties).not.toHaveProperty(
      'responseInformation',
    );
    expect(told(true, {})).toBeUndefined();
  });

  it('takes a client id literally, and is not told where the id makes it too long', () => {
    const toldTo = (clientId: string) =>
      agreed(
        { clientId, properties: { requestResponseInformation: true } },
        { responseInformation, clientIdBytesMax: 65_535 },
      ).connackProperties?.responseInformation;
    expect(toldTo("$&$'")).toBe("answers/$&$'/");
    expect(toldTo('x'.repeat(65_526))).toHaveLength(65_535);
    expect(toldTo('x'.repeat(65_527))).toBeUndefined();
  });
});

describe('the rest', () => {
  it('takes the smaller window and the client’s packet size', () => {
    const properties = { receiveMaximum: 5, maximumPacketSize: 99 };
    expect(agreed({ properties })).toMatchObject({ window: 5, packetBytesMax: 99 });
    expect(agreed({}, { inflightMax: 20 })).toMatchObject({ window: 20, packetBytesMax: 0 });
  });

  it('tells MQTT 5 clients the server’s bounds', () => {
    expect(agreed({}).connackProperties).toEqual({
      receiveMaximum: WIDE_LIMITS.receiveMaximum,
      maximumPacketSize: WIDE_LIMITS.packetBytesMax,
      topicAliasMaximum: WIDE_LIMITS.topicAliasMaximum,
    });
  });

  it('takes as many topic aliases as both sides allow [MQTT-3.1.2-26] [MQTT-3.1.2-27]', () => {
    const limits = { topicAliasesSentMax: 5 };
    const taken = [undefined, 0, 3, 9].map(
      (topicAliasMaximum) =>
        agreed(topicAliasMaximum === undefined ? {} : { properties: { topicAliasMaximum } }, limits)
          .topicAliasMaximum,
    );
    expect(taken).toEqual([0, 0, 3, 5]);
  });

  it('tells reasons in words to MQTT 5 clients that did not decline them [MQTT-3.1.2-29]', () => {
    const tells = (packet: Partial<ConnectPacket>) => agreed(packet).problemInformation;
    expect(tells({})).toBe(true);
    expect(tells({ properties: { requestProblemInformation: true } })).toBe(true);
    expect(tells({ properties: { requestProblemInformation: false } })).toBe(false);
    expect(tells({ version: 4 })).toBe(false);
  });

  it('refuses a client that takes no packet as large as CONNACK [MQTT-3.1.2-24]', () => {
    const withMaximum = (maximumPacketSize: number) =>
      verdict({ properties: { maximumPacketSize } });
    expect(withMaximum(16)).toMatchObject({ kind: 'agreed' });
    expect(withMaximum(15)).toMatchObject({ reasonCode: REASON.packetTooLarge });
  });
});
