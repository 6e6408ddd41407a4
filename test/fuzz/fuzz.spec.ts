import { describe, expect, it } from '@jest/globals';
import { encodePacket, type Packet } from '#libs/mqtt-codec';
import { publishPacket } from '#libs/testkit';
import { ClientMemory } from './client-memory.ts';
import { checkCodec, readChunks, type Read } from './codec-fuzzer.ts';
import { CodecInputs } from './codec-inputs.ts';
import { compare } from './mqtt-packet-oracle.ts';
import { runSequence } from './node-fuzzer.ts';
import { Random } from './random.ts';
import { ServerWatch } from './server-watch.ts';

const SEED = Math.floor(Math.random() * 2 ** 31);
const INPUTS = 3_000;
const SEQUENCES = 200;

/** Says which case of which seed it was. */
async function each(count: number, check: (index: number) => unknown): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    try {
      await check(index);
    } catch (cause) {
      throw new Error(`seed ${String(SEED)}, case ${String(index)}: ${String(cause)}`, { cause });
    }
  }
}

describe('the codec', () => {
  const inputs = new CodecInputs(SEED);

  it('takes any bytes, however they are cut, and reads what it writes', async () => {
    await expect(
      each(INPUTS, (index) => checkCodec(inputs.at(index), new Random(SEED, index))),
    ).resolves.toBeUndefined();
  });

  it('differs from mqtt-packet only where it is known why', async () => {
    await expect(
      each(INPUTS, (index) => {
        const { bytes, version = 5 } = inputs.at(index);
        const comparison = compare(bytes, version);
        if (comparison.kind === 'unexplained') throw new Error(JSON.stringify(comparison));
      }),
    ).resolves.toBeUndefined();
  });

  it.each<[string, Read]>([
    ['loses the last chunk', (chunks, input) => readChunks(chunks.slice(0, -1), input)],
    [
      'throws',
      () => {
        throw new Error('thrown');
      },
    ],
    [
      'reads what cannot be written',
      (chunks, input) =>
        readChunks(chunks, input).map((result) =>
          result.kind === 'publish' ? { ...result, topic: 'x'.repeat(70_000) } : result,
        ),
    ],
  ])('would be caught if it %s: the canary', async (_, read) => {
    await expect(
      each(INPUTS, (index) => checkCodec(inputs.at(index), new Random(SEED, index), read)),
    ).rejects.toThrow('seed');
  });
});

describe('a node', () => {
  it('obeys MQTT towards clients that do as they like, and keeps nothing of them', async () => {
    await expect(each(SEQUENCES, (index) => runSequence(SEED, index))).resolves.toBeUndefined();
  }, 60_000);

  const TERMS = {
    clientId: 'c',
    cleanStart: false,
    receiveMaximum: 1,
    packetBytesMax: 30,
    topicAliasMaximum: 1,
  };
  const CONNACK: Packet = { kind: 'connack', sessionPresent: false, reasonCode: 0 };
  const message = (
    topic: string,
    text: string,
    options: Parameters<typeof publishPacket>[2] = {},
  ) => publishPacket(topic, text, options);

  it.each<[string, readonly Packet[], string]>([
    ['answers before CONNACK', [{ kind: 'pingresp' }], 'MQTT-3.2.0-1'],
    ['answers what was not asked', [CONNACK, { kind: 'pingresp' }], 'unasked'],
    ['sends CONNACK twice', [CONNACK, CONNACK], 'MQTT-3.2.0-2'],
    [
      'refuses a session that it has',
      [{ ...CONNACK, sessionPresent: true, reasonCode: 0x87 }],
      'MQTT-3.2.2-6',
    ],
    [
      'speaks after DISCONNECT',
      [CONNACK, { kind: 'disconnect', reasonCode: 0x8b }, CONNACK],
      'MQTT-3.14.4-1',
    ],
    ['sends a packet that is too large', [CONNACK, message('a', 'x'.repeat(30))], 'MQTT-3.1.2-24'],
    ['sends what was not subscribed to', [CONNACK, message('b', 'c 1')], 'MQTT-3.3.2-3'],
    ['sends out of order', [CONNACK, message('a', 'c 2'), message('a', 'c 1')], 'out of order'],
    [
      'exceeds the window',
      [
        CONNACK,
        message('a', 'c 1', { qos: 1, packetId: 1 }),
        message('a', 'c 1', { qos: 1, packetId: 2 }),
      ],
      'MQTT-3.3.4-9',
    ],
    [
      'uses a packet id that is in use',
      [
        CONNACK,
        message('a', 'c 1', { qos: 1, packetId: 1 }),
        message('a', 'c 2', { qos: 1, packetId: 1 }),
      ],
      'MQTT-2.2.1-4',
    ],
    [
      'uses an alias it has not set',
      [CONNACK, message('', 'c 1', { properties: { topicAlias: 1 } })],
      'not set',
    ],
    [
      'uses an alias above the maximum',
      [CONNACK, message('a', '', { properties: { topicAlias: 2 } })],
      'MQTT-3.1.2-26',
    ],
    [
      'releases what was not received',
      [CONNACK, { kind: 'pubrel', packetId: 1, reasonCode: 0 }],
      'MQTT-4.3.3-4',
    ],
    [
      'names a subscription identifier of somebody else',
      [CONNACK, message('a', 'c 1', { properties: { subscriptionIdentifiers: [7] } })],
      'another subscription',
    ],
    ['is a client', [CONNACK, { kind: 'pingreq' }], 'from a server'],
  ])('would be caught if it %s: the canary', (_, packets, why) => {
    const watch = new ServerWatch(5, { repeated: new Set(), refused: new Set() });
    watch.terms = TERMS;
    watch.memory = new ClientMemory();
    watch.memory.filters.push({ filter: 'a', identifier: undefined });
    const bytes = Buffer.concat(packets.map((packet) => encodePacket(packet, 5)));
    expect(() => [...watch.received(bytes)]).toThrow(why);
  });

  it('may use a packet id once more for each wrong acknowledgement of it', () => {
    const watch = new ServerWatch(5, { repeated: new Set(), refused: new Set() });
    watch.terms = { ...TERMS, receiveMaximum: 2 };
    watch.memory = new ClientMemory();
    watch.memory.filters.push({ filter: 'a', identifier: undefined });
    watch.foretold.set(1, 1);
    const receive = (packet: Packet): unknown => [...watch.received(encodePacket(packet, 5))];
    receive(CONNACK);
    receive(message('a', 'c 1', { qos: 1, packetId: 1 }));
    receive(message('a', 'c 2', { qos: 1, packetId: 1 }));

    expect(() => receive(message('a', 'c 3', { qos: 1, packetId: 1 }))).toThrow('MQTT-2.2.1-4');
  });

  it('would be caught if it sent a QoS 2 message twice: the canary', () => {
    const memory = new ClientMemory();
    memory.filters.push({ filter: 'a', identifier: undefined });
    const receive = (sessionPresent: boolean): void => {
      const watch = new ServerWatch(5, { repeated: new Set(), refused: new Set() });
      watch.terms = TERMS;
      watch.memory = memory;
      const packets = [
        { ...CONNACK, sessionPresent } as const,
        message('a', 'c 1', { qos: 2, packetId: 1 }),
      ];
      for (const packet of packets) Array.from(watch.received(encodePacket(packet, 5)));
    };
    receive(false);
    receive(true);
    memory.unreleased.delete(1);
    expect(() => receive(true)).toThrow('came twice');
  });
});
