import { expect, it } from '@jest/globals';
import type { NodeEvent } from '#libs/broker-ports';
import { MemoryFleet, quiet } from '#libs/testkit';

it('a tap sees what its own node takes, whoever is subscribed to it, until it ends', async () => {
  const fleet = new MemoryFleet();
  const a = await fleet.join('a');
  const b = await fleet.join('b');
  const subscriber = await b.connected('subscriber');
  await subscriber.subscribe('t/#');
  const seen: string[] = [];
  const end = a.node.admin.tap('t/+', ({ topic }) => seen.push(`a ${topic}`));
  a.node.admin.tap('t/1', ({ topic }) => seen.push(`a1 ${topic}`));
  b.node.admin.tap('t/+', ({ topic }) => seen.push(`b ${topic}`));
  const publisher = await a.connected('publisher');
  for (const topic of ['t/1', 't/2', 'u']) publisher.publish(topic, 'x', { qos: 1 });
  await quiet();
  expect(seen.toSorted()).toEqual(['a t/1', 'a t/2', 'a1 t/1']);

  end();
  end();
  publisher.publish('t/1', 'x', { qos: 1 });
  await quiet();
  expect(seen.filter((each) => each === 'a1 t/1')).toHaveLength(2);
  expect(seen.filter((each) => each === 'a t/1')).toHaveLength(1);
});

it('what is told of clients and their subscriptions is told as it happens', async () => {
  const told: string[] = [];
  const events = {
    emit: ({ type, clientId = '' }: NodeEvent) => void told.push(`${type} ${clientId}`),
  };
  const a = await new MemoryFleet().join('a', { events });
  const client = await a.connected('c');
  await client.subscribe('t');
  await client.subscribe('t', { qos: 1 });
  client.cut();
  await quiet();

  expect(told).toEqual([
    'client.connected c',
    'session.created c',
    'subscription.added c',
    'client.disconnected c',
    'session.ended c',
  ]);
});
