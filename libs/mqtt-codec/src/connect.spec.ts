import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';
import { PacketDecoder, type ConnectPacket } from './index.ts';

const VECTORS: readonly { name: string; hex: string; packet: ConnectPacket }[] = [
  {
    name: 'MQTT 3.1',
    hex: '10 0f 00 06 4d 51 49 73 64 70 03 02 00 3c 00 01 63',
    packet: { kind: 'connect', version: 3, cleanStart: true, keepAlive: 60, clientId: 'c' },
  },
  {
    name: 'MQTT 3.1.1 with will, user name and password',
    hex:
      '10 1d 00 04 4d 51 54 54 04 f6 00 00 00 01 63 ' +
      '00 03 61 2f 62 00 02 ff 00 00 01 75 00 02 00 70',
    packet: {
      kind: 'connect',
      version: 4,
      cleanStart: true,
      keepAlive: 0,
      clientId: 'c',
      will: { topic: 'a/b', payload: Buffer.from([0xff, 0]), qos: 2, retain: true },
      username: 'u',
      password: Buffer.from([0, 0x70]),
    },
  },
  {
    name: 'MQTT 5 with nothing but what must be',
    hex: '10 0d 00 04 4d 51 54 54 05 00 ff ff 00 00 00',
    packet: { kind: 'connect', version: 5, cleanStart: false, keepAlive: 65_535, clientId: '' },
  },
  {
    name: 'MQTT 5 with properties, a will with its own, and a password alone',
    hex:
      '10 47 00 04 4d 51 54 54 05 46 00 0a ' +
      '23 11 ff ff ff ff 15 00 01 6d 16 00 01 64 17 00 19 01 21 00 0a 22 00 05 ' +
      '26 00 01 6b 00 01 76 27 00 01 00 00 ' +
      '00 01 63 0b 18 00 00 00 1e 26 00 00 00 01 77 00 03 61 2f 62 00 00 00 01 70',
    packet: {
      kind: 'connect',
      version: 5,
      cleanStart: true,
      keepAlive: 10,
      clientId: 'c',
      will: {
        topic: 'a/b',
        payload: Buffer.alloc(0),
        qos: 0,
        retain: false,
        properties: { willDelayInterval: 30, userProperties: [['', 'w']] },
      },
      password: Buffer.from('p'),
      properties: {
        sessionExpiryInterval: 0xffff_ffff,
        authenticationMethod: 'm',
        authenticationData: Buffer.from('d'),
        requestProblemInformation: false,
        requestResponseInformation: true,
        receiveMaximum: 10,
        topicAliasMaximum: 5,
        userProperties: [['k', 'v']],
        maximumPacketSize: 65_536,
      },
    },
  },
];

/** A CONNECT of MQTT 3.1.1 with these flags, a client id and what the flags ask for. */
function connect4(flags: string, rest = ''): string {
  const length = (13 + rest.replaceAll(' ', '').length / 2).toString(16).padStart(2, '0');
  return `10 ${length} 00 04 4d 51 54 54 04 ${flags} 00 3c 00 01 63 ${rest}`;
}

/** A CONNECT of MQTT 5 with these properties. */
function connect5(properties: string): string {
  const bytes = properties.replaceAll(' ', '').length / 2;
  const hex = (value: number) => value.toString(16).padStart(2, '0');
  return `10 ${hex(14 + bytes)} 00 04 4d 51 54 54 05 02 00 3c ${hex(bytes)} ${properties} 00 01 63`;
}

describe('CONNECT', () => {
  it.each(VECTORS)('$name', ({ hex, packet }) => {
    expect(decodeHex(hex)).toEqual(packet);
    expect(encodeHex(packet, packet.version)).toBe(hex);
  });

  it.each([
    ['[MQTT-3.1.2-1] another protocol name', '10 0d 00 04 48 54 54 50 04 02 00 3c 00 01 63'],
    ['[MQTT-3.1.2-2] a later level', '10 0d 00 04 4d 51 54 54 06 02 00 3c 00 01 63'],
    ['the bridge bit', '10 0d 00 04 4d 51 54 54 84 02 00 3c 00 01 63'],
    ['MQIsdp at level 4', '10 0f 00 06 4d 51 49 73 64 70 04 02 00 3c 00 01 63'],
    ['MQTT at level 3', '10 0d 00 04 4d 51 54 54 03 02 00 3c 00 01 63'],
  ])('%s is an unsupported version', (_, hex) => {
    expect(refusalOf(hex)).toBe('unsupportedProtocolVersion');
  });

  it.each([
    ['[MQTT-3.1.2-3] the reserved flag', connect4('03')],
    ['[MQTT-3.1.2-11] a will QoS without a will', connect4('0a')],
    ['[MQTT-3.1.2-13] will retain without a will', connect4('22')],
    ['[MQTT-3.1.2-12] will QoS 3', connect4('1e', '00 01 74 00 00')],
    ['[MQTT3-3.1.2-22] a password without a user name in 3.1.1', connect4('42', '00 01 70')],
    ['[MQTT-2.1.3-1] flags in the fixed header', connect4('02').replace('10', '11')],
    ['bytes after the last field', connect4('02', '00')],
    ['a user name that is missing', connect4('82')],
    [
      '[MQTT-1.5.4-1] a client id that is not UTF-8',
      '10 0d 00 04 4d 51 54 54 04 02 00 3c 00 01 ff',
    ],
    ['a property of another packet', connect5('23 00 01')],
    ['an unknown property', connect5('7f 00')],
    ['a will property outside the will', connect5('18 00 00 00 01')],
    ['a property cut off by the property length', connect5('11 00 00 00')],
  ])('%s is malformed', (_, hex) => {
    expect(refusalOf(hex)).toBe('malformedPacket');
  });

  it.each([
    ['receive maximum 0', connect5('21 00 00')],
    ['maximum packet size 0', connect5('27 00 00 00 00')],
    ['request problem information 2', connect5('17 02')],
    ['request response information 2', connect5('19 02')],
    ['authentication data without a method', connect5('16 00 01 64')],
    ['a session expiry interval twice', connect5('11 00 00 00 01 11 00 00 00 01')],
  ])('%s is a protocol error', (_, hex) => {
    expect(refusalOf(hex)).toBe('protocolError');
  });

  it.each([
    ['empty', '00 00 00 00'],
    ['a filter', '00 03 61 2f 23 00 00'],
  ])('a will topic that is %s is not accepted', (_, rest) => {
    expect(refusalOf(connect4('06', rest))).toBe('topicNameInvalid');
  });

  it('a missing user name is valid in MQTT 3.1, whose remaining length takes precedence', () => {
    expect(decodeHex('10 0f 00 06 4d 51 49 73 64 70 03 c2 00 3c 00 01 63')).toEqual({
      kind: 'connect',
      version: 3,
      cleanStart: true,
      keepAlive: 60,
      clientId: 'c',
    });
  });

  it.each([
    [5, connect5('21 00 00')],
    [4, connect4('03')],
    [5, '10 0d 00 04 4d 51 54 54 06 02 00 3c 00 01 63'],
    [4, '10 0d 00 04 4d 51 54 54 02 02 00 3c 00 01 63'],
  ])('is refused in the words of version %d', (version, hex) => {
    const decoder = new PacketDecoder({ packetBytesMax: 100 });
    decoder.push(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

    expect(decoder.read()?.kind).toBe('failure');
    expect(decoder.version).toBe(version);
  });
});
