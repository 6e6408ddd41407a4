import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodePacket } from '#libs/mqtt-codec';
import { packetArbitrary } from '#libs/testkit';
import { DIFFERENCES, differenceBetween } from './mqtt-packet-differences.ts';
import { comparableForm, compare, readByMqttPacket } from './mqtt-packet-oracle.ts';

describe.each([3, 4, 5] as const)('a packet of version %d', (version) => {
  it('is read by mqtt-packet as we have written it', () => {
    fc.assert(
      fc.property(packetArbitrary(version), (packet) => {
        const read = readByMqttPacket(encodePacket(packet, version), version);
        const difference = differenceBetween(packet, { version, isRefused: read === undefined });
        fc.pre(difference === undefined);
        expect(read).toEqual(comparableForm(packet));
      }),
      { numRuns: 500 },
    );
  });
});

describe('a difference to mqtt-packet', () => {
  it.each(DIFFERENCES.map(({ name, example }) => ({ name, example })))(
    'is there: $name',
    ({ name, example: [version, hex] }) => {
      expect(compare(Buffer.from(hex, 'hex'), version)).toEqual({ kind: 'known', name });
    },
  );
});
