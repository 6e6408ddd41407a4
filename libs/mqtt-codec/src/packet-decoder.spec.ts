import { describe, expect, it } from '@jest/globals';
import {
  PacketDecoder,
  REASON,
  encodePacket,
  type DecodeFailure,
  type Packet,
  type PublishPacket,
} from './index.ts';

const CONNECT = encodePacket(
  { kind: 'connect', version: 5, cleanStart: true, keepAlive: 60, clientId: 'c' },
  5,
);
const PINGREQ = Buffer.from('c000', 'hex');

function publishOf(payload: Uint8Array): PublishPacket {
  const head = { kind: 'publish', dup: false, qos: 0, retain: false } as const;
  return { ...head, topic: 'a/b', packetId: 0, payload };
}

function connected(packetBytesMax = 10_000): PacketDecoder {
  const decoder = new PacketDecoder({ packetBytesMax });
  decoder.version = 5;
  return decoder;
}

function readAll(decoder: PacketDecoder): (Packet | DecodeFailure)[] {
  const packets: (Packet | DecodeFailure)[] = [];
  for (let packet = decoder.read(); packet !== undefined; packet = decoder.read()) {
    packets.push(packet);
    if (packet.kind === 'failure') break;
  }
  return packets;
}

describe('chunks', () => {
  it('may hold many packets', () => {
    const decoder = connected();
    decoder.push(Buffer.concat([PINGREQ, PINGREQ, PINGREQ]));
    expect(readAll(decoder)).toEqual([
      { kind: 'pingreq' },
      { kind: 'pingreq' },
      { kind: 'pingreq' },
    ]);
  });

  it('may be pushed before earlier ones are read', () => {
    const decoder = connected();
    const bytes = Buffer.from(encodePacket(publishOf(Buffer.from('hello')), 5));
    for (let index = 0; index < 3; index += 1) {
      for (const byte of bytes) decoder.push(Buffer.from([byte]));
    }

    expect(decoder.bufferedBytes).toBe(3 * bytes.length);
    expect(readAll(decoder)).toHaveLength(3);
    expect(decoder.bufferedBytes).toBe(0);
  });

  it('may be empty, and need not be a Buffer', () => {
    const decoder = connected();
    decoder.push(new Uint8Array(0));
    expect(decoder.read()).toBeUndefined();
    decoder.push(new Uint8Array([0xff, 0xc0, 0x00]).subarray(1));
    expect(readAll(decoder)).toEqual([{ kind: 'pingreq' }]);
  });

  it('are no longer needed when all is read: a packet begun is copied', () => {
    const decoder = connected();
    const bytes = Buffer.from(encodePacket(publishOf(Buffer.from('hello')), 5));
    const socketBuffer = Buffer.alloc(8);
    const packets = [];
    for (let start = 0; start < bytes.length; start += 8) {
      const count = bytes.copy(socketBuffer, 0, start, start + 8);
      decoder.push(socketBuffer.subarray(0, count));
      packets.push(...readAll(decoder));
      socketBuffer.fill(0);
    }
    expect(packets).toEqual([publishOf(Buffer.from('hello'))]);
  });

  it('give payloads that stay as they are when later bytes come', () => {
    const decoder = connected();
    const bytes = Buffer.concat([
      encodePacket(publishOf(Buffer.alloc(300, 'a')), 5),
      encodePacket(publishOf(Buffer.alloc(300, 'b')), 5),
    ]);
    const packets = [];
    for (const byte of bytes) {
      decoder.push(Buffer.from([byte]));
      packets.push(...readAll(decoder));
    }
    expect(packets).toEqual([publishOf(Buffer.alloc(300, 'a')), publishOf(Buffer.alloc(300, 'b'))]);
  });

  it('of one byte cost no more than their sum, even for a large packet', () => {
    const decoder = connected(10_000_000);
    const bytes = Buffer.from(encodePacket(publishOf(Buffer.alloc(2_000_000)), 5));
    let packet: Packet | DecodeFailure | undefined;
    for (let start = 0; start < bytes.length; start += 1) {
      decoder.push(bytes.subarray(start, start + 1));
      packet = decoder.read();
    }
    expect(packet).toMatchObject({ kind: 'publish' });
  }, 5_000);
});

describe('the first packet', () => {
  it('is CONNECT, which tells the version', () => {
    const decoder = new PacketDecoder({ packetBytesMax: 100 });
    decoder.push(Buffer.concat([CONNECT, Buffer.from('e00100', 'hex')]));
    expect(readAll(decoder)).toMatchObject([{ kind: 'connect' }, { kind: 'disconnect' }]);
    expect(decoder.version).toBe(5);
  });

  it.each(['c0', '47', '00'])('[MQTT-3.1.0-1] fails at the first byte when that is %s', (hex) => {
    const decoder = new PacketDecoder({ packetBytesMax: 100 });
    decoder.push(Buffer.from(hex, 'hex'));
    expect(decoder.read()).toMatchObject({ reasonCode: REASON.protocolError });
  });
});

describe('a failure', () => {
  it('comes at the first byte of a TLS handshake, which looks like CONNECT with flags', () => {
    const decoder = new PacketDecoder({ packetBytesMax: 100 });
    decoder.push(Buffer.from('16', 'hex'));
    expect(decoder.read()).toMatchObject({ reasonCode: REASON.malformedPacket });
  });

  it('stays, and what comes after it is dropped', () => {
    const decoder = connected();
    decoder.push(Buffer.concat([Buffer.from('f1', 'hex'), Buffer.from('00', 'hex'), PINGREQ]));
    const failure = decoder.read();
    decoder.push(PINGREQ);

    expect(failure).toMatchObject({ kind: 'failure', reasonCode: REASON.malformedPacket });
    expect(decoder.read()).toBe(failure);
    expect(decoder.bufferedBytes).toBe(0);
  });

  it('comes after the packets before it', () => {
    const decoder = connected();
    decoder.push(Buffer.concat([PINGREQ, Buffer.from('0000', 'hex')]));
    expect(readAll(decoder)).toMatchObject([
      { kind: 'pingreq' },
      { reasonCode: REASON.malformedPacket },
    ]);
  });

  it.each(['308000', '30ffffffff', '30ffffff80'])(
    '[MQTT-1.5.5-1] is the answer to the remaining length of %s, however cut',
    (hex) => {
      const decoder = connected();
      for (const byte of Buffer.from(hex, 'hex')) {
        expect(decoder.read()).toBeUndefined();
        decoder.push(Buffer.from([byte]));
      }
      expect(decoder.read()).toMatchObject({ reasonCode: REASON.malformedPacket });
    },
  );
});

describe('packetBytesMax', () => {
  it('fails as soon as the header is known', () => {
    const decoder = connected(100);
    decoder.push(Buffer.from('30', 'hex'));
    expect(decoder.read()).toBeUndefined();
    decoder.push(Buffer.from('63', 'hex'));
    expect(decoder.read()).toMatchObject({ reasonCode: REASON.packetTooLarge });
  });

  it('counts the fixed header', () => {
    const decoder = connected(100);
    decoder.push(encodePacket(publishOf(Buffer.alloc(92)), 5));
    expect(decoder.read()).toMatchObject({ kind: 'publish' });
  });

  it('may grow between packets of one chunk', () => {
    const decoder = new PacketDecoder({ packetBytesMax: CONNECT.length });
    decoder.push(Buffer.concat([CONNECT, encodePacket(publishOf(Buffer.alloc(500)), 5)]));
    expect(decoder.read()).toMatchObject({ kind: 'connect' });
    decoder.packetBytesMax = 1000;
    expect(decoder.read()).toMatchObject({ kind: 'publish' });
  });
});
