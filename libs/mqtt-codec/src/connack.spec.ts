import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';
import { PacketWriter, REASON, type ConnackPacket, type ReasonName } from './index.ts';

const FULL: ConnackPacket = {
  kind: 'connack',
  sessionPresent: true,
  reasonCode: REASON.success,
  properties: {
    sessionExpiryInterval: 10,
    assignedClientIdentifier: 'i',
    serverKeepAlive: 30,
    authenticationMethod: 'm',
    authenticationData: Buffer.from('d'),
    responseInformation: 'r',
    serverReference: 's',
    reasonString: 'w',
    receiveMaximum: 20,
    topicAliasMaximum: 8,
    maximumQoS: 1,
    retainAvailable: true,
    userProperties: [
      ['k', '1'],
      ['k', '2'],
    ],
    maximumPacketSize: 1024,
    wildcardSubscriptionAvailable: true,
    subscriptionIdentifiersAvailable: false,
    sharedSubscriptionAvailable: true,
  },
};

const FULL_HEX =
  '20 46 01 00 43 11 00 00 00 0a 12 00 01 69 13 00 1e 15 00 01 6d 16 00 01 64 1a 00 01 72 ' +
  '1c 00 01 73 1f 00 01 77 21 00 14 22 00 08 24 01 25 01 26 00 01 6b 00 01 31 26 00 01 6b 00 01 32 ' +
  '27 00 00 04 00 28 01 29 00 2a 01';

describe('CONNACK', () => {
  it('carries every property of MQTT 5', () => {
    expect(decodeHex(FULL_HEX, 5)).toEqual(FULL);
    expect(encodeHex(FULL, 5)).toBe(FULL_HEX);
  });

  it('[MQTT-2.2.2-1] tells that it has no properties', () => {
    const bare = { kind: 'connack', sessionPresent: false, reasonCode: REASON.success } as const;
    expect(encodeHex(bare, 5)).toBe('20 03 00 00 00');
  });

  it('has two bytes before MQTT 5', () => {
    expect(encodeHex(FULL, 4)).toBe('20 02 01 00');
    expect(decodeHex('20 02 01 00', 4)).toEqual({
      kind: 'connack',
      sessionPresent: true,
      reasonCode: REASON.success,
    });
  });

  it('knows no session present in MQTT 3.1', () => {
    expect(encodeHex(FULL, 3)).toBe('20 02 00 00');
    expect(decodeHex('20 02 01 00', 3)).toMatchObject({ sessionPresent: false });
  });

  it.each<[ReasonName, number]>([
    ['success', 0],
    ['unsupportedProtocolVersion', 1],
    ['clientIdentifierNotValid', 2],
    ['serverUnavailable', 3],
    ['badUserNameOrPassword', 4],
    ['notAuthorized', 5],
  ])('%s is return code %d of MQTT 3.1.1, both ways', (name, returnCode) => {
    const packet = { kind: 'connack', sessionPresent: false, reasonCode: REASON[name] } as const;
    expect(encodeHex(packet, 4)).toBe(`20 02 00 0${returnCode}`);
    expect(decodeHex(`20 02 00 0${returnCode}`, 4)).toEqual(packet);
  });

  it.each<[ReasonName, number]>([
    ['banned', 5],
    ['badAuthenticationMethod', 5],
    ['serverBusy', 3],
    ['quotaExceeded', 3],
    ['useAnotherServer', 3],
  ])('%s becomes return code %d of MQTT 3.1.1', (name, returnCode) => {
    expect(encodeHex({ kind: 'connack', sessionPresent: false, reasonCode: REASON[name] }, 4)).toBe(
      `20 02 00 0${returnCode}`,
    );
  });

  it.each<ReasonName>(['malformedPacket', 'topicNameInvalid', 'qosNotSupported'])(
    '[MQTT3-3.2.2-6] is not written for %s before MQTT 5, which has no return code for it',
    (name) => {
      const packet = { kind: 'connack', sessionPresent: false, reasonCode: REASON[name] } as const;
      const written = ([3, 4, 5] as const).map((version) =>
        new PacketWriter(version).write(packet),
      );
      expect(written).toEqual([false, false, true]);
    },
  );

  it.each([
    ['[MQTT-3.2.2-1] reserved flags', '20 03 02 00 00', 5],
    ['a missing property length', '20 02 00 00', 5],
    ['bytes after the return code', '20 03 00 00 00', 4],
  ] as const)('%s: malformed', (_, hex, version) => {
    expect(refusalOf(hex, version)).toBe('malformedPacket');
  });

  it.each([
    ['a reserved return code', '20 02 00 06', 4],
    ['a reason code of another packet', '20 03 00 10 00', 5],
    ['maximum QoS 2', '20 05 00 00 02 24 02', 5],
    ['retain available 2', '20 05 00 00 02 25 02', 5],
  ] as const)('%s: protocol error', (_, hex, version) => {
    expect(refusalOf(hex, version)).toBe('protocolError');
  });
});
