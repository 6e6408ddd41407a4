import { expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import { DURABLE, MemoryFleet, quiet } from '#libs/testkit';

it('the inbox of a dead node waits until its sessions can be taken', async () => {
  const fleet = new MemoryFleet();
  const [a, b] = [await fleet.join('a'), await fleet.join('b')];
  const away = await b.connected('away', DURABLE);
  await away.subscribe('t', { qos: 1 });
  away.cut();
  await quiet();
  b.bus.isPaused = true;
  const publisher = await a.connected('publisher');
  publisher.publish('t', 'in the inbox', { qos: 1 });
  expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });

  const take = fleet.sessions.take.bind(fleet.sessions);
  fleet.sessions.take = () => Promise.reject(new StoreUnavailableError('away'));
  b.bus.kill();
  await quiet();
  fleet.sessions.take = take;
  a.sweepAfter(5_000);
  await quiet();

  const back = await a.connected('away', DURABLE);
  await quiet();
  expect(back.takeTexts()).toEqual(['in the inbox']);
});
