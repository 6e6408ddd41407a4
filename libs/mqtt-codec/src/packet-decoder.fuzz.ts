import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { packetArbitrary } from '#libs/testkit';
import {
  PacketDecoder,
  PacketWriter,
  encodePacket,
  type DecodeFailure,
  type Packet,
  type ProtocolVersion,
} from './index.ts';

const VERSIONS = [3, 4, 5] as const;
const version = fc.constantFrom<ProtocolVersion>(...VERSIONS);

function decoderOf(ofVersion?: ProtocolVersion): PacketDecoder {
  const decoder = new PacketDecoder({ packetBytesMax: 10_000 });
  if (ofVersion !== undefined) decoder.version = ofVersion;
  return decoder;
}

/** What the chunks hold, up to and with the first failure. */
function readAll(decoder: PacketDecoder, chunks: readonly Uint8Array[]) {
  const results: (Packet | DecodeFailure)[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (;;) {
      const result = decoder.read();
      if (result === undefined) break;
      results.push(result);
      if (result.kind === 'failure') return results;
    }
  }
  return results;
}

/** Cuts bytes at any places. */
function chunksOf(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b);
  return [...places, bytes.length].map((end, index) => bytes.slice(places[index - 1] ?? 0, end));
}

/** Bytes that look like packets: valid ones, of which some bytes are changed. */
const almostPackets = version.chain((ofVersion) =>
  fc
    .tuple(
      fc.array(packetArbitrary(ofVersion), { minLength: 1, maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
    )
    .map(([packets, changes]) => {
      const bytes = Buffer.concat(packets.map((packet) => encodePacket(packet, ofVersion)));
      for (const [place, value] of changes) bytes[place % bytes.length] = value;
      return { ofVersion, bytes };
    }),
);

const anyBytes = fc.record({ ofVersion: version, bytes: fc.uint8Array({ maxLength: 40 }) });

describe.each(VERSIONS)('a packet of version %d', (ofVersion) => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(packetArbitrary(ofVersion), (packet) => {
        const results = readAll(decoderOf(ofVersion), [encodePacket(packet, ofVersion)]);
        expect(results).toEqual([packet]);
      }),
      { numRuns: 1000 },
    );
  });

  it('is the same out of a writer, which keeps the order', () => {
    fc.assert(
      fc.property(fc.array(packetArbitrary(ofVersion), { maxLength: 20 }), (packets) => {
        const writer = new PacketWriter(ofVersion);
        for (const packet of packets) writer.write(packet);
        const { pendingBytes } = writer;
        const written = packets.filter(({ kind }) => kind !== 'disconnect' || ofVersion === 5);
        const bytes = Buffer.concat(writer.take());
        expect(bytes).toHaveLength(pendingBytes);
        expect(readAll(decoderOf(ofVersion), [bytes])).toEqual(written);
      }),
      { numRuns: 100 },
    );
  });
});

describe('any bytes', () => {
  it.each([
    ['made up', anyBytes],
    ['almost packets', almostPackets],
  ])('%s are packets or a failure, however they are cut', (_, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, fc.array(fc.nat(), { maxLength: 8 }), ({ ofVersion, bytes }, cuts) => {
        const whole = readAll(decoderOf(ofVersion), [bytes]);

        expect(readAll(decoderOf(ofVersion), chunksOf(bytes, cuts))).toEqual(whole);
        expect(readAll(decoderOf(ofVersion), chunksOf(bytes, [...bytes.keys()]))).toEqual(whole);
      }),
      { numRuns: 1000 },
    );
  });

  it('that are a packet are a packet again after encoding it', () => {
    fc.assert(
      fc.property(almostPackets, ({ ofVersion, bytes }) => {
        for (const packet of readAll(decoderOf(ofVersion), [bytes])) {
          if (packet.kind === 'failure') return;
          // CONNECT chooses the version of what follows it.
          const next = packet.kind === 'connect' ? packet.version : ofVersion;
          if (next !== ofVersion) return;
          expect(readAll(decoderOf(next), [encodePacket(packet, next)])).toEqual([packet]);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('changed are noticed: the canary, without which the above would prove nothing', () => {
    const details = fc.check(
      fc.property(almostPackets, ({ ofVersion, bytes }) =>
        readAll(decoderOf(ofVersion), [bytes]).every(({ kind }) => kind !== 'failure'),
      ),
      { numRuns: 1000 },
    );
    expect(details.failed).toBe(true);
  });
});
