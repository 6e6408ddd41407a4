import {
  PacketDecoder,
  REASON,
  encodePacket,
  type DecodeFailure,
  type Packet,
  type ProtocolVersion,
  type ReasonCode,
  type ReasonName,
} from '#libs/mqtt-codec';

/** Decodes one packet from hexadecimal digits, which may be spaced; CONNECT without a version, as a server would. */
export function decodeHex(
  hex: string,
  version?: ProtocolVersion,
): Packet | DecodeFailure | undefined {
  const decoder = new PacketDecoder({ packetBytesMax: 1_000_000 });
  if (version !== undefined) decoder.version = version;
  decoder.push(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  return decoder.read();
}

/** Encodes a packet into hexadecimal digits, two to a byte, spaced as in the specification. */
export function encodeHex(packet: Packet, version: ProtocolVersion): string {
  return Buffer.from(encodePacket(packet, version))
    .toString('hex')
    .replaceAll(/..(?=.)/g, '$& ');
}

/** The name of the reason for which these bytes are refused; undefined if they are not. */
export function refusalOf(hex: string, version?: ProtocolVersion): ReasonName | undefined {
  const result = decodeHex(hex, version);
  return result?.kind === 'failure' ? nameOf(result.reasonCode) : undefined;
}

function nameOf(reasonCode: ReasonCode): ReasonName | undefined {
  const names = Object.keys(REASON) as ReasonName[];
  return names.find((name) => REASON[name] === reasonCode);
}
