/** The pieces of a CONNECT, valid unless a test says otherwise. */
export interface ConnectPieces {
  readonly name?: string;
  readonly level?: number;
  readonly flags?: number;
  readonly keepAlive?: number;
  /** What follows the properties: by default an empty client identifier. */
  readonly payload?: readonly (string | Uint8Array)[];
}

/** Bytes that are not well-formed UTF-8, with their length before them. */
export const BAD_TEXT: readonly Uint8Array[] = [
  Buffer.from('0003eda080', 'hex'),
  Buffer.from('0002c0af', 'hex'),
  Buffer.from('00036100ff', 'hex'),
  Buffer.from('0003610062', 'hex'),
];

/** Text with its length before it. */
export function text(value: string): Uint8Array {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length), bytes]);
}

/** A CONNECT of these pieces, whatever sense they make. Its flags have clean start by default. */
export function connectBytes({
  name = 'MQTT',
  level = 5,
  flags = 0x02,
  keepAlive = 0,
  payload = [''],
}: ConnectPieces): Uint8Array {
  const body = Buffer.concat([
    text(name),
    Buffer.of(level, flags, keepAlive >> 8, keepAlive),
    ...(level === 5 ? [Buffer.of(0)] : []),
    ...payload.map((piece) => (typeof piece === 'string' ? text(piece) : piece)),
  ]);
  return Buffer.concat([Buffer.of(0x10, body.length), body]);
}
