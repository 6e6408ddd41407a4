import mqttPacket, { type Packet } from 'mqtt-packet';

const payload = Buffer.from('hostile');
const user = { userProperties: { name: 'value' } };

/** One valid packet of each kind that clients send, and of those that only servers send. */
const PACKETS: readonly Packet[] = [
  { cmd: 'publish', topic: 'a/b', payload, qos: 0, dup: false, retain: false },
  { cmd: 'publish', topic: 'a/b', payload, qos: 1, dup: false, retain: true, messageId: 1 },
  { cmd: 'publish', topic: 'a/b', payload, qos: 2, dup: true, retain: false, messageId: 2 },
  { cmd: 'subscribe', messageId: 3, subscriptions: [{ topic: 'a/+', qos: 2 }] },
  { cmd: 'unsubscribe', messageId: 4, unsubscriptions: ['a/+', 'b/#'] },
  { cmd: 'puback', messageId: 1 },
  { cmd: 'pubrec', messageId: 1 },
  { cmd: 'pubrel', messageId: 2 },
  { cmd: 'pubcomp', messageId: 1 },
  { cmd: 'pingreq' },
  { cmd: 'suback', messageId: 3, granted: [0] },
  { cmd: 'connack', returnCode: 0, reasonCode: 0, sessionPresent: false },
  { cmd: 'disconnect' },
];

/** A stream of bytes and how it is sent. */
export interface HostileStream {
  readonly bytes: Buffer;
  /** Sent one by one, a turn of the event loop apart. */
  readonly byteByByte: boolean;
}

/** Makes malformed, odd and random streams; the same source of randomness makes the same streams. */
export class HostileStreams {
  readonly #random: () => number;
  #count = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  next(): HostileStream {
    this.#count += 1;
    const version = this.#random() < 0.5 ? 4 : 5;
    const make = [
      () => this.#randomBytes(512),
      () => Buffer.concat([this.#connect(version), this.#randomBytes(512)]),
      () => this.#mutated(this.#conversation(version)),
      () => this.#mutated(this.#connect(version)),
      () => this.#truncated(this.#conversation(version)),
      () => Buffer.concat([this.#connect(version), this.#hugeLength()]),
      () => this.#hugeLength(),
    ];
    const bytes = this.#pick(make)();
    return { bytes, byteByByte: bytes.length <= 128 && this.#random() < 0.25 };
  }

  #connect(version: 4 | 5): Buffer {
    const clientId = `hostile-${String(this.#count % 100)}`;
    const will = { topic: 'a/will', payload, qos: 1 as const, retain: false };
    return mqttPacket.generate({
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: version,
      clientId,
      clean: true,
      keepalive: 60,
      will,
      username: 'u',
      password: Buffer.from('p'),
      ...(version === 5 && { properties: user }),
    });
  }

  #conversation(version: 4 | 5): Buffer {
    const packets = Array.from({ length: 1 + this.#below(8) }, () =>
      mqttPacket.generate(this.#pick(PACKETS), { protocolVersion: version }),
    );
    return Buffer.concat([this.#connect(version), ...packets]);
  }

  #mutated(bytes: Buffer): Buffer {
    for (let changes = 1 + this.#below(6); changes > 0; changes -= 1) {
      const place = this.#below(bytes.length);
      bytes[place] =
        this.#random() < 0.5 ? this.#below(256) : (bytes[place] ?? 0) ^ (1 << this.#below(8));
    }
    return bytes;
  }

  #truncated(bytes: Buffer): Buffer {
    return bytes.subarray(0, this.#below(bytes.length));
  }

  /** A header that promises up to 256 MiB, or whose length never ends. */
  #hugeLength(): Buffer {
    const lengths = [
      [0xff, 0xff, 0xff, 0x7f],
      [0xff, 0xff, 0xff, 0xff, 0xff],
      [0x80, 0x80, 0x80, 0x80, 0x01],
      [0x80, 0x80, 0x04],
    ];
    const header = Buffer.from([this.#below(256), ...this.#pick(lengths)]);
    return Buffer.concat([header, this.#randomBytes(2_048)]);
  }

  #randomBytes(lengthMax: number): Buffer {
    return Buffer.from(Array.from({ length: this.#below(lengthMax) }, () => this.#below(256)));
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)] as T;
  }

  #below(end: number): number {
    return Math.floor(this.#random() * end);
  }
}
