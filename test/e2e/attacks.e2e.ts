import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { IConnackPacket, IConnectPacket, Packet } from 'mqtt-packet';
import { until } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { RawClient } from './harness/raw-client.ts';
import { report } from './harness/report.ts';
import { Scope } from './harness/scope.ts';
import { stillServed } from './harness/still-served.ts';

const DEADLINE_MS = 20_000;
const MIB = 1024 * 1024;
const QUOTA_EXCEEDED = 0x97;
/** With a small heap garbage is collected soon, so that what grows is what is kept. */
const NODE_ARGS = ['--max-old-space-size=80', '--max-semi-space-size=4'];

jest.setTimeout(120_000);

const scope = new Scope();
afterEach(() => scope.close());

const mebibytes = (bytes: number): string => (bytes / MIB).toFixed(1);

const memory = (node: Broker): Promise<number> => node.ops.metric('process_resident_memory_bytes');

type PacketOf<Kind extends Packet['cmd']> = Extract<Packet, { readonly cmd: Kind }>;

function packetsOf<Kind extends Packet['cmd']>(
  { packets }: RawClient,
  kind: Kind,
): readonly PacketOf<Kind>[] {
  return packets.filter((packet): packet is PacketOf<Kind> => packet.cmd === kind);
}

/** Connects a client that does what no library does; returns it with its CONNACK. */
async function enter(
  node: Broker,
  options: Partial<IConnectPacket> = {},
): Promise<{ readonly client: RawClient; readonly connack: IConnackPacket }> {
  const client = await RawClient.open(scope, node.port);
  client.send({ cmd: 'connect', clientId: '', clean: true, keepalive: 0, ...options } as never);
  await until(() => packetsOf(client, 'connack').length > 0 || client.isClosed, DEADLINE_MS);
  const [connack] = packetsOf(client, 'connack');
  if (connack === undefined) throw new Error('no CONNACK');
  return { client, connack };
}

describe('a client that subscribes to 65,536 filters', () => {
  const PACKETS = 64;
  const FILTERS = 1_024;

  /** What each filter was answered with. */
  async function subscribeToAll(client: RawClient): Promise<readonly number[]> {
    const before = packetsOf(client, 'suback').length;
    for (let packet = 0; packet < PACKETS; packet += 1) {
      const subscriptions = Array.from({ length: FILTERS }, (_, index) => ({
        topic: `plant/${String(packet)}/+/machine/${String(index)}/#`,
        qos: 1 as const,
      }));
      client.send({ cmd: 'subscribe', messageId: packet + 1, subscriptions });
    }
    const isDone = (): boolean => packetsOf(client, 'suback').length === before + PACKETS;
    await until(isDone, DEADLINE_MS);
    return packetsOf(client, 'suback')
      .slice(before)
      .flatMap(({ granted }) => granted.map(Number));
  }

  const subscriptions = (node: Broker): Promise<number> =>
    node.ops.metric('skein_broker_subscriptions');

  it('gets a thousand, and is told so of each of the others', async () => {
    const node = await Broker.start(scope, {}, { nodeArgs: NODE_ARGS });
    const other = await Client.connect(scope, node.url);
    const { client } = await enter(node);

    const granted = await subscribeToAll(client);
    expect(granted.filter((code) => code === 1)).toHaveLength(1_000);
    expect(granted.filter((code) => code === QUOTA_EXCEEDED)).toHaveLength(64_536);
    expect(await subscriptions(node)).toBe(1_000);
    expect(await stillServed(other, 'plant/1/a/machine/1')).toBe(true);
  });

  it('gets all of them where that is allowed, and leaves nothing behind', async () => {
    const nodeArgs = ['--max-old-space-size=160', '--max-semi-space-size=4'];
    const node = await Broker.start(scope, { LIMITS_SUBSCRIPTIONS_MAX: 100_000 }, { nodeArgs });
    const other = await Client.connect(scope, node.url);
    const round = async (): Promise<number> => {
      const { client } = await enter(node);
      const granted = await subscribeToAll(client);
      expect(granted.every((code) => code === 1)).toBe(true);
      const bytes = await memory(node);
      expect(await stillServed(other, `plant/1/a/machine/${String(bytes)}`)).toBe(true);
      const kept = other.received.length;
      client.send({ cmd: 'disconnect' });
      await until(async () => (await subscriptions(node)) === kept, DEADLINE_MS);
      return bytes;
    };
    const empty = await memory(node);
    const first = await round();
    let last = first;
    for (let count = 0; count < 3; count += 1) last = await round();

    report(
      `65,536 subscriptions of one client: memory ${mebibytes(empty)} MiB before, ${mebibytes(first)} MiB with them, ` +
        `${mebibytes(last)} MiB with them the fourth time`,
    );
    expect(last - first).toBeLessThan(128 * MIB);
  });
});

describe('a flood of retained messages', () => {
  const BATCH = 500;

  /** Sets retained messages with QoS 1; returns the code that each was answered with. */
  async function retain(
    client: RawClient,
    count: number,
    message: { readonly prefix: string; readonly payload: string },
  ): Promise<readonly number[]> {
    const before = packetsOf(client, 'puback').length;
    for (let sent = 0; sent < count; sent += BATCH) {
      const many = Array.from({ length: Math.min(BATCH, count - sent) }, (_, index) => ({
        ...({ cmd: 'publish', qos: 1, retain: true, dup: false } as const),
        ...{ topic: `${message.prefix}/${String(sent + index)}`, payload: message.payload },
        messageId: index + 1,
      }));
      client.send(...many);
      const acknowledged = before + sent + many.length;
      await until(() => packetsOf(client, 'puback').length === acknowledged, DEADLINE_MS);
    }
    return packetsOf(client, 'puback')
      .slice(before)
      .map(({ reasonCode }) => reasonCode ?? 0);
  }

  const kept = (codes: readonly number[]): number =>
    codes.filter((code) => code !== QUOTA_EXCEEDED).length;

  it('ends where the limit is, and memory stays flat', async () => {
    const settings = { LIMITS_RETAINED_MESSAGES_MAX: 1_000 };
    const node = await Broker.start(scope, settings, { nodeArgs: NODE_ARGS });
    const other = await Client.connect(scope, node.url);
    const { client } = await enter(node);
    const payload = 'x'.repeat(4_096);

    expect(kept(await retain(client, 5_000, { prefix: 'flood/a', payload }))).toBe(1_000);
    const before = await memory(node);
    expect(kept(await retain(client, 20_000, { prefix: 'flood/b', payload }))).toBe(0);
    const after = await memory(node);

    report(
      `20,000 retained messages of 4 KiB above the limit: memory ${mebibytes(before)} MiB before, ${mebibytes(after)} MiB after`,
    );
    expect(await node.ops.metric('skein_broker_retained_messages')).toBe(1_000);
    expect(after - before).toBeLessThan(32 * MIB);
    expect(await stillServed(other, 'others/a')).toBe(true);
    // Replacing and removing go on, and what is removed makes room.
    expect(kept(await retain(client, 2, { prefix: 'flood/a', payload: '' }))).toBe(2);
    expect(kept(await retain(client, 3, { prefix: 'flood/c', payload }))).toBe(2);
  });

  it('of one user takes nothing from the others where users have a quota', async () => {
    const node = await Broker.start(scope, { QUOTAS_USER_RETAINED_MESSAGES_MAX: 100 });
    const setBy = async (username: string, prefix: string): Promise<number> => {
      const { client } = await enter(node, { username });
      return kept(await retain(client, 1_000, { prefix, payload: 'x' }));
    };
    expect(await setBy('ann', 'a')).toBe(100);
    expect(await setBy('ann', 'b')).toBe(0);
    expect(await setBy('bob', 'c')).toBe(100);
    const exceeded = 'skein_broker_user_quota_exceeded_total';
    expect(await node.ops.metric(exceeded, 'kind="retained"')).toBe(900 + 1_000 + 900);
  });
});

describe('a client at full speed', () => {
  const RATE = 200;
  const BYTE_RATE = 20_000;
  /** The default of rates.burstSeconds. */
  const BURST_SECONDS = 2;
  const SETTINGS = {
    RATES_CLIENT_MESSAGES_PER_SECOND: RATE,
    RATES_CLIENT_BYTES_PER_SECOND: BYTE_RATE,
    RATES_HELD_SECONDS_MAX: 3,
  };
  const MESSAGE = {
    ...({ cmd: 'publish', topic: 'flood', qos: 0, retain: false, dup: false } as const),
    payload: 'x',
  } satisfies Packet;

  const held = (node: Broker): Promise<number> =>
    node.ops.metric('skein_broker_reading_held_total', 'reason="rate"');

  /** Sends as much at once as takes many times the rates, and waits for the end; returns how many seconds it was there. */
  async function flood(node: Broker, packet: Packet): Promise<number> {
    const beganAtMs = performance.now();
    const { client } = await enter(node);
    client.send(...Array.from({ length: 100_000 }, () => packet));
    await until(() => client.isClosed, DEADLINE_MS);
    const codes = packetsOf(client, 'disconnect').map(({ reasonCode }) => reasonCode);
    expect(codes).toEqual([QUOTA_EXCEEDED]);
    return (performance.now() - beganAtMs) / 1_000;
  }

  it('publishes at its rate, and no longer than it may', async () => {
    const node = await Broker.start(scope, SETTINGS);
    const other = await Client.connect(scope, node.url);
    await other.subscribe('flood', 0);
    const flooding = flood(node, MESSAGE);
    await until(async () => (await held(node)) > 0, DEADLINE_MS);
    expect(await stillServed(other, 'others/a')).toBe(true);
    const seconds = await flooding;

    const published = await node.ops.metric('skein_broker_publish_received_total', 'qos="0"');
    report(
      `a publisher at full speed, ${String(RATE)} messages/s allowed: ${String(published)} taken in ${seconds.toFixed(1)} s`,
    );
    expect(published).toBeGreaterThan(0);
    expect(published).toBeLessThanOrEqual(RATE * (BURST_SECONDS + seconds) + 1);
    expect(other.closes).toBe(0);
  });

  it('asks for no more answers than its bytes allow', async () => {
    const node = await Broker.start(scope, SETTINGS);
    const other = await Client.connect(scope, node.url);
    const seconds = await flood(node, { cmd: 'pingreq' });

    const pings = await node.ops.metric('skein_broker_packets_received_total', 'type="pingreq"');
    const chunkBytesMax = 65_536;
    report(
      `a flood of PINGREQ, ${String(BYTE_RATE)} bytes/s allowed: ${String(pings)} answered in ${seconds.toFixed(1)} s`,
    );
    expect(pings).toBeGreaterThan(0);
    expect(2 * pings).toBeLessThanOrEqual(BYTE_RATE * (BURST_SECONDS + seconds) + chunkBytesMax);
    expect(await stillServed(other, 'others/a')).toBe(true);
  });
});

describe('a user with more connections than it may have', () => {
  it('is refused, while others and its own clients that come back are not', async () => {
    const node = await Broker.start(scope, { QUOTAS_USER_CONNECTIONS_MAX: 5 });
    const codes: number[] = [];
    for (let index = 0; index < 50; index += 1) {
      const clientId = `ann-${String(index)}`;
      const { connack } = await enter(node, { username: 'ann', clientId });
      codes.push(connack.reasonCode ?? -1);
    }
    const refused = Array.from({ length: 45 }, () => QUOTA_EXCEEDED);
    expect(codes).toEqual([0, 0, 0, 0, 0, ...refused]);
    const again = await enter(node, { username: 'ann', clientId: 'ann-0' });
    const other = await enter(node, { username: 'bob', clientId: 'bob' });
    expect([again, other].map(({ connack }) => connack.reasonCode)).toEqual([0, 0]);
  });
});
