import { isDeepStrictEqual } from 'node:util';
import {
  PacketDecoder,
  type DecodeFailure,
  type Packet,
  type ProtocolVersion,
} from '#libs/mqtt-codec';
import { differenceBetween } from './mqtt-packet-differences.ts';
import { comparableForm, parseByMqttPacket, translate } from './mqtt-packet-reader.ts';

/** How two decoders see the same bytes. */
export type Comparison =
  | { readonly kind: 'same' }
  /** The bytes are no whole packet. */
  | { readonly kind: 'incomplete' }
  /** They differ, and mqtt-packet-differences.ts says why. */
  | { readonly kind: 'known'; readonly name: string }
  | { readonly kind: 'unexplained'; readonly ours: unknown; readonly theirs: unknown };

const PACKET_BYTES_MAX = 100_000;

/** Reads the first of some bytes. */
export type ReadFirst = (bytes: Uint8Array, version: ProtocolVersion) => FirstPacket;

interface FirstPacket {
  readonly packet: Packet | DecodeFailure | undefined;
  /** Where it ends: mqtt-packet may read beyond that. */
  readonly end: number;
}

/** The first packet as the decoder of the product sees it. */
export const readFirst: ReadFirst = (bytes, version) => {
  const decoder = new PacketDecoder({ packetBytesMax: PACKET_BYTES_MAX });
  decoder.version = version;
  decoder.push(bytes);
  return { packet: decoder.read(), end: bytes.length - decoder.bufferedBytes };
};

/** Compares the first packet in these bytes, as this codec and mqtt-packet read it. */
export function compare(
  bytes: Uint8Array,
  version: ProtocolVersion,
  read: ReadFirst = readFirst,
): Comparison {
  const { packet, end } = read(bytes, version);
  if (packet === undefined) return { kind: 'incomplete' };
  const first = bytes.subarray(0, end);
  const theirs = parseByMqttPacket(first, version);
  const their = theirs && translate(theirs, version);
  const isSame =
    packet.kind === 'failure'
      ? their === undefined
      : isDeepStrictEqual(comparableForm(packet), their);
  if (isSame) return { kind: 'same' };
  const name = differenceBetween({ ours: packet, theirs, bytes: first, version });
  if (name !== undefined) return { kind: 'known', name };
  return { kind: 'unexplained', ours: packet, theirs: their };
}
