import { describe, expect, it } from '@jest/globals';
import { decodeHex, encodeHex, refusalOf } from '#libs/testkit';
import { UserProperties, withOwnBytes, type PublishPacket } from './index.ts';

const PAIRS = [
  ['b', '1'],
  ['a', 'é'],
  ['b', '1'],
  ['', ''],
] as const;
const PAIRS_HEX =
  '26 00 01 62 00 01 31 26 00 01 61 00 02 c3 a9 26 00 01 62 00 01 31 26 00 00 00 00';

function publishOf(hex: string): PublishPacket {
  const packet = decodeHex(hex, 5);
  if (packet?.kind !== 'publish') throw new Error('no PUBLISH');
  return packet;
}

describe('user properties of PUBLISH', () => {
  it('[MQTT-3.3.2-18] are read in their order, as often as somebody wants', () => {
    const userProperties = UserProperties.of(PAIRS);
    expect([...userProperties]).toEqual(PAIRS);
    expect([...userProperties]).toEqual(PAIRS);
    expect(userProperties.byteLength).toBe(27);
    expect(JSON.parse(JSON.stringify(userProperties))).toEqual(PAIRS);
  });

  it('are passed on byte by byte', () => {
    const hex = `30 22 00 03 61 2f 62 1b ${PAIRS_HEX} 68`;
    const packet = publishOf(hex);
    expect([...(packet.properties?.userProperties ?? [])]).toEqual(PAIRS);
    expect(encodeHex(packet, 5)).toBe(hex);
  });

  it('[MQTT-3.3.2-18] keep their order when other properties stand between them', () => {
    const packet = publishOf(
      '30 1c 00 01 61 18 26 00 01 62 00 01 31 01 01 26 00 01 61 00 01 32 23 00 07 26 00 00 00 00',
    );
    expect(packet.properties).toEqual({
      payloadFormatIndicator: 1,
      topicAlias: 7,
      userProperties: UserProperties.of([
        ['b', '1'],
        ['a', '2'],
        ['', ''],
      ]),
    });
  });

  it.each([
    ['[MQTT-1.5.4-1] a name that is no UTF-8', '30 0b 00 01 61 07 26 00 01 ff 00 01 31'],
    ['[MQTT-1.5.4-1] a surrogate', '30 0d 00 01 61 09 26 00 00 00 03 ed a0 80 00'],
    ['[MQTT-1.5.4-2] U+0000 in a value', '30 0b 00 01 61 07 26 00 01 62 00 01 00'],
    [
      '[MQTT-1.5.4-2] U+0000 beside what is no ASCII',
      '30 0d 00 01 61 09 26 00 00 00 04 c3 a9 00 62',
    ],
    ['a value that is cut off', '30 0a 00 01 61 06 26 00 01 62 00 01'],
    ['a pair that reaches beyond the length', '30 0b 00 01 61 06 26 00 01 62 00 01 31'],
  ])('%s: malformed', (_, hex) => {
    expect(refusalOf(hex, 5)).toBe('malformedPacket');
  });

  it('let go of the chunk they came in', () => {
    const chunk = Buffer.alloc(10_000, 0x26);
    chunk.set(Buffer.from(PAIRS_HEX.replaceAll(' ', ''), 'hex'), 5_000);
    const received = new UserProperties(chunk, 5_000, 5_027);

    const { userProperties } = withOwnBytes({ userProperties: received });
    chunk.fill(0);

    expect([...(userProperties ?? [])]).toEqual(PAIRS);
  });

  it('stay where they are when they are most of it', () => {
    const { userProperties } = withOwnBytes({
      userProperties: UserProperties.of([['k', 'v'.repeat(9_000)]]),
    });
    const again = withOwnBytes({ userProperties: userProperties ?? [] });
    expect(again.userProperties).toBe(userProperties);
  });
});
