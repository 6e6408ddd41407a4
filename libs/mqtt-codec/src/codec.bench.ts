import {
  PacketDecoder,
  PacketWriter,
  REASON,
  encodePacket,
  encodePublish,
  UserProperties,
} from './index.ts';

/*
 * Nanoseconds per operation, best of several rounds: npx node --conditions=source libs/mqtt-codec/src/codec.bench.ts
 */

const ROUNDS = 12;
const PACKETS_PER_TURN = 500;
const TURNS = 400;
const COUNT = PACKETS_PER_TURN * TURNS;

const PUBLISH = {
  kind: 'publish',
  dup: false,
  qos: 1,
  retain: false,
  topic: 'fleet/7/vehicle/4711/position',
  packetId: 1,
  payload: Buffer.alloc(64, 'x'),
} as const;

const PROPERTIES = {
  messageExpiryInterval: 60,
  contentType: 'application/json',
  userProperties: [['trace', '0af7651916cd43dd']],
} as const;

const USER_PROPERTIES = {
  userProperties: [
    ['property-0', 'value of property 0'],
    ['property-1', 'value of property 1'],
  ],
} as const;

function repeat(bytes: Uint8Array): Uint8Array {
  return Buffer.concat(Array.from({ length: PACKETS_PER_TURN }, () => bytes));
}

function decodeAll(decoder: PacketDecoder, chunk: Uint8Array): void {
  for (let turn = 0; turn < TURNS; turn += 1) {
    decoder.push(chunk);
    while (decoder.read() !== undefined);
  }
}

function decoderFor(chunk: Uint8Array): () => void {
  const decoder = new PacketDecoder({ packetBytesMax: 1_000_000 });
  decoder.version = 5;
  return () => decodeAll(decoder, chunk);
}

function perTurn(writer: PacketWriter, write: (packetId: number) => void): () => void {
  return () => {
    for (let turn = 0; turn < TURNS; turn += 1) {
      for (let packetId = 1; packetId <= PACKETS_PER_TURN; packetId += 1) write(packetId);
      writer.take();
    }
  };
}

function measure(name: string, run: () => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedAt = process.hrtime.bigint();
    run();
    best = Math.min(best, Number(process.hrtime.bigint() - startedAt) / COUNT);
  }
  process.stdout.write(`${name.padEnd(48)} ${best.toFixed(0).padStart(6)} ns\n`);
}

const writer = new PacketWriter(5);
const template = encodePublish(PUBLISH, 5);
/** As a decoder gives them. */
const RECEIVED = UserProperties.of(USER_PROPERTIES.userProperties);
const ack = encodePacket({ kind: 'puback', packetId: 9, reasonCode: REASON.success }, 5);

measure('decode PUBLISH QoS 1, 64 B', decoderFor(repeat(encodePacket(PUBLISH, 5))));
measure(
  'decode PUBLISH QoS 1, 64 B, 3 properties',
  decoderFor(repeat(encodePacket({ ...PUBLISH, properties: PROPERTIES }, 5))),
);
measure(
  'decode PUBLISH QoS 1, 64 B, 2 user properties',
  decoderFor(repeat(encodePacket({ ...PUBLISH, properties: USER_PROPERTIES }, 5))),
);
measure('decode PUBACK', decoderFor(repeat(ack)));
measure('encode PUBLISH template', () => {
  for (let index = 0; index < COUNT; index += 1) encodePublish(PUBLISH, 5);
});
measure('encode PUBLISH template, 3 properties', () => {
  const packet = { ...PUBLISH, properties: PROPERTIES };
  for (let index = 0; index < COUNT; index += 1) encodePublish(packet, 5);
});
measure('encode PUBLISH template, 2 user properties', () => {
  const packet = { ...PUBLISH, properties: { userProperties: RECEIVED } };
  for (let index = 0; index < COUNT; index += 1) encodePublish(packet, 5);
});
measure(
  'write PUBLISH from a template',
  perTurn(writer, (packetId) => writer.writePublish(template, packetId, false)),
);
measure(
  'write PUBACK',
  perTurn(writer, (packetId) => writer.writeAck('puback', packetId, REASON.success)),
);
