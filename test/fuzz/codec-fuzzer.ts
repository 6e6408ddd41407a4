import {
  PacketDecoder,
  encodePacket,
  type DecodeFailure,
  type Packet,
  type ProtocolVersion,
} from '#libs/mqtt-codec';
import type { CodecInput } from './codec-inputs.ts';
import type { Random } from './random.ts';

/** What a decoder makes of an input: packets, and a failure if there is one. */
export type Reading = readonly (Packet | DecodeFailure)[];

/** Reads chunks of one connection. */
export type Read = (chunks: readonly Uint8Array[], input: CodecInput) => Reading;

const PACKET_BYTES_MAX = 100_000;
/** No input may take longer: all of them are short. */
const READ_MS_MAX = 1_000;

/** Reads with the decoder of the product. */
export const readChunks: Read = (chunks, { version }) => {
  const decoder = new PacketDecoder({ packetBytesMax: PACKET_BYTES_MAX });
  if (version !== undefined) decoder.version = version;
  const reading: (Packet | DecodeFailure)[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let result = decoder.read(); result !== undefined; result = decoder.read()) {
      reading.push(result);
      if (result.kind === 'failure') return reading;
    }
  }
  return reading;
};

/**
 * Checks what holds for any bytes: nothing is thrown, the cuts between chunks do not matter, and every packet that is
 * read can be written and read again.
 *
 * @returns the reading of the bytes as one chunk.
 * @throws Error that says what does not hold.
 */
export function checkCodec(input: CodecInput, random: Random, read: Read = readChunks): Reading {
  const startedAtMs = performance.now();
  const whole = read([input.bytes], input);
  const spentMs = performance.now() - startedAtMs;
  if (spentMs > READ_MS_MAX) throw new Error(`reading took ${String(Math.round(spentMs))} ms`);
  const seen = writtenOf(whole, input.version);
  const inPieces = writtenOf(read(cut(input.bytes, random), input), input.version);
  if (inPieces !== seen) throw new Error(`in pieces ${inPieces} is read, whole ${seen}`);
  return whole;
}

/** The packets as the encoder writes them, which reads them back as the same. */
function writtenOf(reading: Reading, version: ProtocolVersion | undefined): string {
  let current = version;
  return reading
    .map((result) => {
      if (result.kind === 'failure') return `${String(result.reasonCode)} ${result.message}`;
      if (result.kind === 'connect') current = result.version;
      const ofVersion = current ?? 4;
      const bytes = encodePacket(result, ofVersion);
      const again = readChunks([bytes], { version: ofVersion, bytes: Buffer.from(bytes) })[0];
      if (again === undefined || again.kind === 'failure') {
        throw new Error(`what is written for ${result.kind} is not read: ${again?.message ?? ''}`);
      }
      const written = Buffer.from(bytes);
      if (!written.equals(encodePacket(again, ofVersion))) {
        throw new Error(`what is written for ${result.kind} changes when it is read`);
      }
      return written.toString('latin1');
    })
    .join('|');
}

/** Cuts bytes at up to five places, or everywhere. */
function cut(bytes: Buffer, random: Random): Uint8Array[] {
  if (random.oneIn(4)) return Array.from(bytes, (byte) => Uint8Array.of(byte));
  const places = Array.from({ length: 1 + random.below(5) }, () => random.below(bytes.length + 1));
  places.sort((a, b) => a - b);
  return [...places, bytes.length].map((end, index) =>
    Uint8Array.from(bytes.subarray(places[index - 1] ?? 0, end)),
  );
}
