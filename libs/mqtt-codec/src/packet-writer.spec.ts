import { describe, expect, it } from '@jest/globals';
import {
  PacketDecoder,
  PacketWriter,
  REASON,
  encodePacket,
  encodePublish,
  type Packet,
  type ProtocolVersion,
  type PublishTemplate,
  type QoS,
} from './index.ts';

function templateOf(qos: QoS, payloadBytes: number, version: ProtocolVersion = 4): PublishTemplate {
  const payload = Buffer.alloc(payloadBytes, 'x');
  const travel = { dup: false, qos, retain: false, packetId: 0 };
  return encodePublish({ ...travel, topic: 'a/b', payload }, version);
}

function packetsOf(chunks: readonly Uint8Array[], version: ProtocolVersion = 4): Packet[] {
  const decoder = new PacketDecoder({ packetBytesMax: 1_000_000 });
  decoder.version = version;
  decoder.push(Buffer.concat(chunks));
  const packets: Packet[] = [];
  for (let packet = decoder.read(); packet !== undefined; packet = decoder.read()) {
    if (packet.kind === 'failure') throw new Error(packet.message);
    packets.push(packet);
  }
  expect(decoder.bufferedBytes).toBe(0);
  return packets;
}

describe('PacketWriter', () => {
  it('has nothing at first, nor after a take', () => {
    const writer = new PacketWriter();
    expect(writer.take()).toEqual([]);
    writer.write({ kind: 'pingresp' });
    writer.take();
    expect(writer.take()).toEqual([]);
    expect(writer.pendingBytes).toBe(0);
  });

  it('packs the small packets of a turn into few chunks, in their order', () => {
    const writer = new PacketWriter();
    const template = templateOf(1, 20);
    for (let packetId = 1; packetId <= 3000; packetId += 1) {
      writer.writePublish(template, packetId, packetId % 2 === 0);
      writer.writeAck('puback', packetId, REASON.success);
    }
    const { pendingBytes } = writer;
    const chunks = writer.take();
    const packets = packetsOf(chunks);

    expect(pendingBytes).toBe(3000 * (template.bytes.length + 4));
    expect(chunks.length).toBeLessThan(12);
    expect(packets).toHaveLength(6000);
    expect(packets[4]).toMatchObject({ kind: 'publish', packetId: 3, dup: false, qos: 1 });
    expect(packets[5]).toMatchObject({ kind: 'puback', packetId: 3 });
    expect(packets[5998]).toMatchObject({ kind: 'publish', packetId: 3000, dup: true });
  });

  it('hands out a template that is alone as it is', () => {
    const writer = new PacketWriter();
    const template = templateOf(0, 20);
    writer.writePublish(template, 0, false);
    expect(writer.pendingBytes).toBe(template.bytes.length);
    expect(writer.take()[0]).toBe(template.bytes);
  });

  it('copies it after all when more is written', () => {
    const writer = new PacketWriter();
    const template = templateOf(0, 20);
    writer.writePublish(template, 0, false);
    writer.writePublish(template, 0, false);
    writer.write({ kind: 'pingresp' });
    const chunks = writer.take();

    expect(chunks).toHaveLength(1);
    expect(packetsOf(chunks).map(({ kind }) => kind)).toEqual(['publish', 'publish', 'pingresp']);
  });

  it('hands out large templates as they are, between the packets around them', () => {
    const writer = new PacketWriter();
    const template = templateOf(0, 5000);
    writer.writePublish(templateOf(0, 1), 0, false);
    writer.writePublish(template, 0, false);
    writer.writeAck('pubrec', 1, REASON.success);
    writer.writePublish(template, 0, false);
    const chunks = writer.take();

    expect(chunks).toHaveLength(4);
    expect(chunks[1]).toBe(template.bytes);
    expect(chunks[3]).toBe(template.bytes);
    expect(packetsOf(chunks).map(({ kind }) => kind)).toEqual([
      'publish',
      'publish',
      'pubrec',
      'publish',
    ]);
  });

  it('shares the payload of a large template between receivers, each with its packet identifier', () => {
    const template = templateOf(2, 5000);
    const original = Buffer.from(template.bytes);
    const chunks = [7, 8].map((packetId) => {
      const writer = new PacketWriter();
      writer.writePublish(template, packetId, true);
      return writer.take();
    });

    expect(Buffer.from(template.bytes)).toEqual(original);
    expect(chunks.map((list) => list[1]?.buffer)).toEqual([
      template.bytes.buffer,
      template.bytes.buffer,
    ]);
    expect(chunks.flatMap((list) => packetsOf(list))).toMatchObject([
      { packetId: 7, dup: true, payload: Buffer.alloc(5000, 'x') },
      { packetId: 8, dup: true, payload: Buffer.alloc(5000, 'x') },
    ]);
  });

  it('never writes again to memory that it has handed out', () => {
    const writer = new PacketWriter();
    writer.writeAck('puback', 1, REASON.success);
    const chunks = writer.take();
    const before = Buffer.concat(chunks);
    for (let packetId = 2; packetId < 1000; packetId += 1) {
      writer.writeAck('puback', packetId, REASON.success);
      writer.take();
    }
    expect(Buffer.concat(chunks)).toEqual(before);
  });

  it.each([
    [4, '40020007'],
    [5, '4003000797'],
  ] as const)('writes the reason of an acknowledgement in version %d', (version, hex) => {
    const writer = new PacketWriter(version);
    writer.writeAck('puback', 7, REASON.quotaExceeded);
    expect(Buffer.concat(writer.take()).toString('hex')).toBe(hex);
  });

  it.each([
    [3, ''],
    [4, ''],
    [5, 'e0018b'],
  ] as const)('[MQTT-3.14] writes DISCONNECT of a server in version %d as "%s"', (version, hex) => {
    const writer = new PacketWriter(version);
    writer.write({ kind: 'disconnect', reasonCode: REASON.serverShuttingDown });
    expect(Buffer.concat(writer.take()).toString('hex')).toBe(hex);
  });

  it('writes a packet that is larger than any slab', () => {
    const writer = new PacketWriter(5);
    const reasonString = 'w'.repeat(60_000);
    const properties = { reasonString };
    writer.writeAck('puback', 1, REASON.success);
    writer.write({ kind: 'puback', packetId: 2, reasonCode: REASON.success, properties });
    writer.writeAck('puback', 3, REASON.success);

    expect(packetsOf(writer.take(), 5)).toMatchObject([
      { packetId: 1 },
      { packetId: 2, properties },
      { packetId: 3 },
    ]);
  });

  const ACK = { packetId: 1, reasonCode: REASON.packetIdentifierNotFound };
  it.each<[string, Packet]>([
    ['[MQTT-3.4.2-2] [MQTT-3.4.2-3]', { ...ACK, kind: 'puback', reasonCode: REASON.quotaExceeded }],
    ['[MQTT-3.5.2-2] [MQTT-3.5.2-3]', { ...ACK, kind: 'pubrec', reasonCode: REASON.quotaExceeded }],
    ['[MQTT-3.6.2-2] [MQTT-3.6.2-3]', { ...ACK, kind: 'pubrel' }],
    ['[MQTT-3.7.2-2] [MQTT-3.7.2-3]', { ...ACK, kind: 'pubcomp' }],
    ['[MQTT-3.9.2-1] [MQTT-3.9.2-2]', { kind: 'suback', packetId: 1, reasonCodes: [0x80] }],
    ['[MQTT-3.11.2-1] [MQTT-3.11.2-2]', { kind: 'unsuback', packetId: 1, reasonCodes: [0x80] }],
    ['[MQTT-3.14.2-3] [MQTT-3.14.2-4]', { kind: 'disconnect', reasonCode: REASON.serverBusy }],
    ['[MQTT-3.15.2-2] [MQTT-3.15.2-3]', { kind: 'auth', reasonCode: REASON.reAuthenticate }],
  ])('explains a refusal only to a client that takes packets of that size: %s', (_, packet) => {
    const properties = { reasonString: 'because', userProperties: [['a', 'b']] as const };
    const explained = { ...packet, properties } as Packet;
    const written = (packetBytesMax: number): Packet[] => {
      const writer = new PacketWriter(5);
      writer.packetBytesMax = packetBytesMax;
      expect(writer.write(explained)).toBe(true);
      return packetsOf(writer.take(), 5);
    };
    const bytes = encodePacket(explained, 5).length;
    expect(written(bytes)).toEqual([explained]);
    expect(written(bytes - 1)).toEqual([packet]);
  });

  it('keeps the other properties of a packet that is cut short [MQTT-3.2.2-19] [MQTT-3.2.2-20]', () => {
    const writer = new PacketWriter(5);
    writer.packetBytesMax = 20;
    const serverReference = 'other:1883';
    const userProperties = [['a', 'b']] as const;
    const properties = { serverReference, reasonString: 'drained', userProperties };
    const refused = {
      kind: 'connack',
      sessionPresent: false,
      reasonCode: REASON.serverMoved,
    } as const;
    writer.write({ ...refused, properties });
    expect(packetsOf(writer.take(), 5)).toEqual([{ ...refused, properties: { serverReference } }]);
  });

  it('leaves out what is too large for the client, and says so [MQTT-3.1.2-24] [MQTT-3.1.2-25]', () => {
    const writer = new PacketWriter(5);
    writer.packetBytesMax = 4;
    const suback = { kind: 'suback', packetId: 1, reasonCodes: [0] } as const;
    expect(writer.write(suback)).toBe(false);
    writer.writeAck('puback', 2, REASON.quotaExceeded);
    writer.writeAck('puback', 3, REASON.success);
    expect(writer.write({ kind: 'pingresp' })).toBe(true);
    expect(packetsOf(writer.take(), 5)).toMatchObject([{ packetId: 3 }, { kind: 'pingresp' }]);
  });
});
