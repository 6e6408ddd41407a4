import { describe, expect, it } from '@jest/globals';
import { AccessControl, Acl, type AclRule } from '#libs/access';
import { MemoryFleet, quiet } from '#libs/testkit';
import { Tracing, type TraceRecord, type TraceWanted } from './tracing.ts';

/** Records in words: direction, client and packet, or the decision. */
function wordsOf(record: TraceRecord): string {
  const { client } = record;
  if (record.kind === 'decision') return `${record.decision.type} ${String(client.clientId)}`;
  const { direction, packet } = record;
  const topic = packet.kind === 'publish' ? ` ${packet.topic}` : '';
  return `${direction} ${String(client.clientId)} ${packet.kind}${topic}`;
}

async function setUp(options: Parameters<MemoryFleet['join']>[1] = {}) {
  const tracing = new Tracing();
  const node = await new MemoryFleet().join('a', { tracing, ...options });
  const trace = (wanted: TraceWanted) => {
    const records: TraceRecord[] = [];
    const end = tracing.start(wanted, (record) => records.push(record));
    return { records, end, words: () => records.map(wordsOf) };
  };
  return { tracing, node, trace };
}

describe('a trace of a client', () => {
  it('shows its packets in both directions from its CONNECT on, and nothing of others', async () => {
    const { tracing, node, trace } = await setUp();
    const { words, records, end } = trace({ clientId: 'c' });
    const client = await node.connected('c');
    const other = await node.connected('other');
    await client.subscribe('t/#');
    other.publish('t/1', 'x', { qos: 1 });
    await quiet();
    client.publish('nobody', 'y');
    client.write({ kind: 'disconnect', reasonCode: 0 });
    await quiet();
    expect(words()).toEqual([
      ...['in c connect', 'login c', 'out c connack', 'in c subscribe', 'out c suback'],
      ...['out c publish t/1', 'in c publish nobody', 'message_dropped c'],
      ...['in c disconnect', 'connection_ended c'],
    ]);
    const published = records.find((each) => wordsOf(each) === 'out c publish t/1');
    expect(published).toMatchObject({
      client: { address: '192.0.2.1', listener: 'memory', version: 5 },
      packet: { qos: 1, dup: false, packetId: 1, payload: Buffer.from('x') },
    });

    end();
    end();
    expect(tracing.isOn).toBe(false);
    other.publish('t/1', 'x');
    await quiet();
    expect(records).toHaveLength(10);
  });

  it('catches a CONNECT that is refused, and why', async () => {
    const { node, trace } = await setUp({
      authenticator: {
        login: async () => ({ kind: 'denied', backend: 'password', detail: 'no such user' }),
        exchange: () => undefined,
      } as never,
    });
    const { words, records } = trace({ clientId: 'c' });
    await node.client().connect({ clientId: 'c', username: 'u', password: Buffer.from('secret') });
    expect(words()).toEqual([
      ...['in c connect', 'login c', 'out c connack', 'connect_refused c', 'connection_ended c'],
    ]);
    expect(records).toContainEqual(
      expect.objectContaining({
        decision: { type: 'login', backend: 'password', outcome: 'denied', detail: 'no such user' },
      }),
    );
  });

  it('names the rule that denies it something', async () => {
    const deny: AclRule = {
      effect: 'deny',
      actions: ['publish', 'subscribe'],
      topics: ['secret/#'],
    };
    const control = new AccessControl(new Acl([deny], 'allow'));
    const { node, trace } = await setUp({ access: { control, deniedPublish: 'acknowledge' } });
    const client = await node.connected('c');
    const { records } = trace({ clientId: 'c' });
    client.publish('secret/1', 'x', { qos: 1 });
    await client.next('puback');
    await client.subscribe('secret/#');
    const denials = records.filter((each) => each.kind === 'decision');
    expect(denials.map(({ decision }) => decision)).toEqual([
      { type: 'denied', action: 'publish', topic: 'secret/1', rule: deny },
      { type: 'denied', action: 'subscribe', topic: 'secret/#', rule: deny },
    ]);
  });
});

describe('a trace of a topic', () => {
  it('shows messages of all clients on it, also under aliases, and who asks for it', async () => {
    const { node, trace } = await setUp();
    const { words } = trace({ topic: 't/+/x' });
    const client = await node.connected('sub', { properties: { topicAliasMaximum: 5 } });
    await client.subscribe('t/#');
    await client.subscribe('u');
    const publisher = await node.connected('pub');
    publisher.publish('t/long-1/x', '1', { properties: { topicAlias: 1 } });
    publisher.publish('', '2', { properties: { topicAlias: 1 } });
    publisher.publish('t/2', '3');
    await quiet();
    expect(words()).toEqual([
      ...['in sub subscribe', 'in pub publish t/long-1/x', 'out sub publish t/long-1/x'],
      ...['in pub publish ', 'out sub publish '],
    ]);
  });

  it('knows topics by the names of the broker', async () => {
    const { node, trace } = await setUp({ rules: { mountpoint: 'site/' } });
    const inside = trace({ topic: 'site/t' });
    const outside = trace({ topic: 't' });
    const client = await node.connected('c');
    await client.subscribe('t');
    client.publish('t', 'x');
    await quiet();
    expect(inside.words()).toEqual(['in c subscribe', 'in c publish t', 'out c publish t']);
    expect(outside.words()).toEqual([]);
  });
});

it('a trace of an address is of all who come from there, and all that is given has to be so', async () => {
  const { node, trace } = await setUp();
  const here = trace({ isAddress: (address) => address === '192.0.2.1' });
  const there = trace({ isAddress: (address) => address === '192.0.2.2' });
  const both = trace({ clientId: 'a', isAddress: () => true, topic: 't' });
  const a = await node.connected('a');
  await node.connected('b');
  a.publish('t', 'x');
  a.publish('u', 'x');
  await quiet();
  expect(here.words()).toContain('in b connect');
  expect(there.words()).toEqual([]);
  expect(both.words()).toEqual(['in a publish t', 'message_dropped a']);
});

it('a message to many is decoded once, and each delivery keeps its own packet id', async () => {
  const { node, trace } = await setUp();
  const clients = await Promise.all(['a', 'b'].map((id) => node.connected(id)));
  for (const client of clients) await client.subscribe('t', { qos: 1 });
  const { records } = trace({ topic: 't' });
  const publisher = await node.connected('p');
  publisher.publish('t', 'one', { qos: 1 });
  publisher.publish('t', 'two', { qos: 1 });
  await quiet();
  const sent = records.flatMap((each) =>
    each.kind === 'packet' && each.direction === 'out' && each.packet.kind === 'publish'
      ? [`${String(each.client.clientId)} ${each.packet.packetId} ${String(each.packet.payload)}`]
      : [],
  );
  expect(sent.toSorted()).toEqual(['a 1 one', 'a 2 two', 'b 1 one', 'b 2 two']);
});
