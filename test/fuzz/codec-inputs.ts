import fc from 'fast-check';
import { VARIABLE_BYTE_INTEGER_MAX, encodePacket, type ProtocolVersion } from '#libs/mqtt-codec';
import { packetArbitrary } from '#libs/testkit';
import { Random } from './random.ts';

/** Bytes for a decoder. */
export interface CodecInput {
  /** The version of the connection; undefined before CONNECT. */
  readonly version: ProtocolVersion | undefined;
  readonly bytes: Buffer;
}

const CORPUS_PACKETS = 2_000;
const CORPUS_SEED = 5;
const VERSIONS: readonly ProtocolVersion[] = [3, 4, 5];
const NOTABLE_BYTES = [0x00, 0x01, 0x02, 0x7f, 0x80, 0xc0, 0xff];
/** Every property identifier, and some that do not exist. */
const PROPERTY_IDS = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x08, 0x09, 0x0b, 0x11, 0x12, 0x13, 0x15, 0x16, 0x17, 0x18, 0x19,
  0x1a, 0x1c, 0x1f, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b, 0x80,
];

/** What stands before the properties of a packet, by its first byte. */
const BEFORE_PROPERTIES: readonly (readonly [firstByte: number, hex: string])[] = [
  [0x10, '00044d51545405020000'],
  [0x20, '0000'],
  [0x30, '000161'],
  [0x32, '0001610001'],
  [0x40, '000110'],
  [0x50, '000110'],
  [0x62, '000100'],
  [0x70, '000100'],
  [0x82, '0001'],
  [0x90, '0001'],
  [0xa2, '0001'],
  [0xb0, '0001'],
  [0xe0, '00'],
  [0xf0, '18'],
];

/** Makes almost-packets of many kinds; a seed and a number determine each of them. */
export class CodecInputs {
  readonly #seed: number;
  readonly #corpus: ReadonlyMap<ProtocolVersion, readonly Buffer[]>;

  constructor(seed: number) {
    this.#seed = seed;
    this.#corpus = new Map(VERSIONS.map((version) => [version, corpusOf(version)]));
  }

  /** The n-th input. */
  at(index: number): CodecInput {
    const random = new Random(this.#seed, index);
    const version = random.oneIn(6) ? 3 : random.oneIn(3) ? 4 : 5;
    const bytes = this.#bytes(version, random);
    return { version: random.oneIn(12) ? undefined : version, bytes };
  }

  #bytes(version: ProtocolVersion, random: Random): Buffer {
    switch (random.below(10)) {
      case 0:
      case 1:
        return changed(this.#packet(version, random), random);
      case 2:
        return cutAndPasted(this.#packet(version, random), random);
      case 3:
      case 4:
        return withBody(this.#packet(version, random), (body) => {
          return random.oneIn(2) ? changed(body, random) : cutAndPasted(body, random);
        });
      case 5:
        return this.#spliced(version, random);
      case 6:
        return this.#stream(version, random);
      case 7:
        return withProperties(random);
      case 8:
        return packet(random.below(256), randomBytes(random, 40));
      default:
        return random.oneIn(3) ? hugeLength(random) : randomBytes(random, 60);
    }
  }

  #packet(version: ProtocolVersion, random: Random): Buffer {
    return Buffer.from(random.pick(this.#corpus.get(version) ?? []));
  }

  #spliced(version: ProtocolVersion, random: Random): Buffer {
    const other = bodyOf(this.#packet(version, random));
    const from = random.below(other.length + 1);
    return withBody(this.#packet(version, random), (body) =>
      Buffer.concat([body.subarray(0, random.below(body.length + 1)), other.subarray(from)]),
    );
  }

  #stream(version: ProtocolVersion, random: Random): Buffer {
    const packets = Array.from({ length: 2 + random.below(3) }, () =>
      this.#packet(version, random),
    );
    const bytes = Buffer.concat(packets);
    return random.oneIn(2) ? bytes : changed(bytes, random);
  }
}

function corpusOf(version: ProtocolVersion): readonly Buffer[] {
  const settings = { seed: CORPUS_SEED, numRuns: CORPUS_PACKETS };
  return fc
    .sample(packetArbitrary(version), settings)
    .map((valid) => Buffer.from(encodePacket(valid, version)));
}

/** One to four bytes are others. */
function changed(bytes: Buffer, random: Random): Buffer {
  for (let changes = 1 + random.below(4); changes > 0 && bytes.length > 0; changes -= 1) {
    const place = random.below(bytes.length);
    const before = bytes[place] ?? 0;
    const after = [
      random.below(256),
      before ^ (1 << random.below(8)),
      before + 1,
      before - 1,
      random.pick(NOTABLE_BYTES),
    ];
    bytes[place] = random.pick(after);
  }
  return bytes;
}

/** A range is missing, or stands somewhere else a second time. */
function cutAndPasted(bytes: Buffer, random: Random): Buffer {
  const from = random.below(bytes.length + 1);
  const to = from + random.below(Math.min(8, bytes.length - from) + 1);
  if (random.oneIn(2)) return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
  const place = random.below(bytes.length + 1);
  const range = bytes.subarray(from, to);
  return Buffer.concat([bytes.subarray(0, place), range, bytes.subarray(place)]);
}

function withProperties(random: Random): Buffer {
  const [firstByte, before] = random.pick(BEFORE_PROPERTIES);
  const parts: Buffer[] = [];
  for (let count = random.below(5); count >= 0; count -= 1) {
    parts.push(Buffer.of(random.pick(PROPERTY_IDS)), propertyValue(random));
  }
  const properties = Buffer.concat(parts);
  const after = random.pick(['', '000161', '00016100', '00', '000162000163']);
  const length = random.oneIn(8) ? random.below(128) : Math.min(127, properties.length);
  return packet(
    firstByte,
    Buffer.concat([
      Buffer.from(before, 'hex'),
      Buffer.of(length),
      properties,
      Buffer.from(after, 'hex'),
    ]),
  );
}

function propertyValue(random: Random): Buffer {
  const text = random.pick(['', 'a', 'a/b', '#', 'é', '\0', 'x'.repeat(20)]);
  const string = Buffer.concat([Buffer.of(0, Buffer.byteLength(text)), Buffer.from(text)]);
  return random.pick([
    Buffer.of(random.pick([0, 1, 2])),
    Buffer.of(0, random.below(3)),
    Buffer.of(0, 0, 0, random.below(2)),
    string,
    Buffer.concat([string, string]),
    randomBytes(random, 6),
  ]);
}

function hugeLength(random: Random): Buffer {
  const length = random.pick(['ffffff7f', 'ffffffff7f', '80808001', '808001', '8000', 'ff7f']);
  const firstByte = Buffer.of(random.below(256));
  return Buffer.concat([firstByte, Buffer.from(length, 'hex'), randomBytes(random, 20)]);
}

function randomBytes(random: Random, end: number): Buffer {
  const bytes = Buffer.allocUnsafe(random.below(end));
  for (let place = 0; place < bytes.length; place += 1) bytes[place] = random.below(256);
  return bytes;
}

/** What follows the fixed header of a valid packet. */
function bodyOf(bytes: Buffer): Buffer {
  let start = 1;
  while ((bytes[start] ?? 0) > 0x7f) start += 1;
  return bytes.subarray(start + 1);
}

/** The same packet with another body, and a length that is right. */
function withBody(bytes: Buffer, change: (body: Buffer) => Buffer): Buffer {
  return packet(bytes[0] ?? 0, change(Buffer.from(bodyOf(bytes))));
}

function packet(firstByte: number, body: Buffer): Buffer {
  const header = [firstByte];
  let length = Math.min(body.length, VARIABLE_BYTE_INTEGER_MAX);
  for (; length > 0x7f; length >>= 7) header.push((length & 0x7f) | 0x80);
  return Buffer.concat([Buffer.of(...header, length), body]);
}
