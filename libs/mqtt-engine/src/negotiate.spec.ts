import { describe, expect, it } from '@jest/globals';
import { REASON, type ConnectPacket } from '#libs/mqtt-codec';
import { WIDE_LIMITS } from '#libs/testkit';
import { capExpiry, negotiate, type ConnectionTerms, type EngineLimits } from './index.ts';

function agreed(packet: Partial<ConnectPacket>, limits: Partial<EngineLimits> = {}) {
  const negotiation = verdict(packet, limits);
  if (negotiation.kind === 'refused') throw new Error(negotiation.detail);
  return negotiation.terms;
}

function verdict(packet: Partial<ConnectPacket>, limits: Partial<EngineLimits> = {}) {
  const whole: ConnectPacket = {
    kind: 'connect',
    version: 5,
    cleanStart: true,
    keepAlive: 30,
    clientId: 'c',
    ...packet,
  };
  return negotiate(whole, { ...WIDE_LIMITS, ...limits }, () => 'assigned');
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

  it('may not be empty for a session that is kept before MQTT 5 [MQTT-3.1.3-8]', () => {
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
});

describe('sessions', () => {
  const expiryOf = ({ durable, sessionExpirySeconds, connackProperties }: ConnectionTerms) => [
    durable,
    sessionExpirySeconds,
    connackProperties?.sessionExpiryInterval,
  ];

  it('of MQTT 5 live as long as asked, within the bound, which is told [MQTT-3.2.2-10]', () => {
    const limits = { sessionExpirySecondsMax: 100 };
    const asked = (sessionExpiryInterval: number) =>
      expiryOf(agreed({ properties: { sessionExpiryInterval } }, limits));
    expect(expiryOf(agreed({}, limits))).toEqual([false, 0, undefined]);
    expect(asked(0)).toEqual([false, 0, undefined]);
    expect(asked(100)).toEqual([true, 100, undefined]);
    expect(asked(101)).toEqual([true, 100, 100]);
    expect(asked(0xffff_ffff)).toEqual([true, 100, 100]);
  });

  it('of MQTT 3.1.1 with Clean Session 0 are kept for the maximum age [MQTT-3.1.2-5]', () => {
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
    expect([8, 9, 0xffff_ffff].map((seconds) => capExpiry(seconds, limits))).toEqual([8, 9, 9]);
  });
});

describe('keep-alive', () => {
  it.each([
    { asked: 0, inForce: 60, told: 60 },
    { asked: 59, inForce: 59, told: undefined },
    { asked: 61, inForce: 60, told: 60 },
  ])('of $asked s becomes $inForce s [MQTT-3.1.2-21]', ({ asked, inForce, told }) => {
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

  it('refuses enhanced authentication, which is not offered [MQTT-4.12.0-1]', () => {
    expect(verdict({ properties: { authenticationMethod: 'SCRAM' } })).toMatchObject({
      reasonCode: REASON.badAuthenticationMethod,
    });
  });
});
