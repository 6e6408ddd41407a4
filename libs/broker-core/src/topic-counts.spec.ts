import { expect, it } from '@jest/globals';
import type { TopicTally } from '#libs/broker-ports';
import { MemoryFleet, quiet } from '#libs/testkit';
import { DeliveryDelay } from './traffic.ts';

function tallyOf(): TopicTally {
  return { messagesIn: [0, 0, 0], messagesOut: [0, 0, 0], bytesIn: 0, bytesOut: 0, dropped: 0 };
}

it('messages of a filter are counted where they are taken and where they are sent, until it ends', async () => {
  const fleet = new MemoryFleet();
  const a = await fleet.join('a');
  const b = await fleet.join('b');
  const subscriber = await b.connected('subscriber');
  await subscriber.subscribe('t/#', { qos: 1 });
  const tallies = { a: tallyOf(), b: tallyOf(), other: tallyOf() };
  const end = a.node.admin.countTopics('t/+', tallies.a);
  b.node.admin.countTopics('t/1', tallies.b);
  b.node.admin.countTopics('u', tallies.other);
  const publisher = await a.connected('publisher');
  publisher.publish('t/1', 'xy', { qos: 1 });
  publisher.publish('t/2', 'xyz', { qos: 0 });
  await quiet();
  expect(tallies.a).toEqual({
    ...{ messagesIn: [1, 1, 0], messagesOut: [0, 0, 0], bytesIn: 5, bytesOut: 0, dropped: 0 },
  });
  expect(tallies.b).toEqual({
    ...{ messagesIn: [0, 0, 0], messagesOut: [0, 1, 0], bytesIn: 0, bytesOut: 2, dropped: 0 },
  });
  expect(tallies.other).toEqual(tallyOf());

  subscriber.cut();
  await quiet();
  publisher.publish('t/1', 'xy', { qos: 1 });
  await quiet();
  expect(tallies.a).toMatchObject({ messagesIn: [1, 2, 0], dropped: 1 });

  end();
  end();
  publisher.publish('t/1', 'xy', { qos: 1 });
  await quiet();
  expect(tallies.a.messagesIn).toEqual([1, 2, 0]);
});

it('groups are shown with their members, and what waits for them', async () => {
  const a = await new MemoryFleet().join('a');
  for (const id of ['m1', 'm2']) {
    const member = await a.connected(id);
    await member.subscribe('$share/g/jobs/#', { qos: 1 });
    if (id === 'm1') await member.subscribe('$share/g/other', { qos: 1 });
    await member.subscribe(`$share/h-${id}/x`, { qos: 1 });
  }
  const { admin } = a.node;
  const first = admin.sharedGroups({ limit: 2 });
  expect(first).toMatchObject({ hasMore: true, items: [{ group: 'g' }, { group: 'h-m1' }] });
  expect(first.items[0]?.subscriptions).toEqual([
    { filter: 'jobs/#', members: 2, connected: 2, lagMessages: 0 },
    { filter: 'other', members: 1, connected: 1, lagMessages: 0 },
  ]);
  const next = admin.sharedGroups({ limit: 2, after: 'h-m1' });
  expect([next.items.map(({ group }) => group), next.hasMore]).toEqual([['h-m2'], false]);
  expect(admin.sharedGroups({ limit: 2, group: 'h-m2' }).items).toHaveLength(1);
  expect(admin.sharedMembers('g', 10)).toHaveLength(3);
  expect(admin.sharedMembers('g', 1)).toEqual([
    { filter: 'jobs/#', clientId: 'm1', isConnected: true, queueMessages: 0, inflightMessages: 0 },
  ]);
});

it('a subscriber that takes messages late is told apart from one that was away', () => {
  const delay = new DeliveryDelay();
  delay.add(1_000, 1_100, 500);
  expect(delay.meanMs).toBe(100);
  delay.add(1_000, 1_600, 500);
  expect(delay.meanMs).toBe(200);
  // It came back after an hour: what had waited for it meanwhile counts from then on.
  delay.add(2_000, 3_600_010, 3_600_000);
  expect(delay.meanMs).toBe(10);
  expect(delay.meanMs).toBeGreaterThanOrEqual(0);
});
