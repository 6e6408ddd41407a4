import { expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryCluster, MemoryNode, quiet, type MemoryBus } from '#libs/testkit';

const DURABLE = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } };

it('the inbox of a dead node waits until its sessions can be taken', async () => {
  const sessions = new LocalSessionStore({ clock: () => 0 });
  const retained = new LocalRetainedStore({ clock: () => 0 });
  const cluster = new MemoryCluster();
  const join = async (nodeId: string): Promise<[MemoryNode, MemoryBus]> => {
    const bus = cluster.bus(nodeId);
    const memory = new MemoryNode({ sessions, retained, bus });
    await memory.node.start();
    return [memory, bus];
  };
  const [[a], [b, home]] = [await join('a'), await join('b')];
  const away = b.client();
  await away.connect({ clientId: 'away', ...DURABLE });
  await away.subscribe('t', { qos: 1 });
  away.cut();
  await quiet();
  home.isPaused = true;
  const publisher = a.client();
  await publisher.connect({ clientId: 'publisher' });
  publisher.publish('t', 'in the inbox', { qos: 1 });
  expect(await publisher.next('puback')).toMatchObject({ reasonCode: 0 });

  const take = sessions.take.bind(sessions);
  sessions.take = () => Promise.reject(new StoreUnavailableError('away'));
  home.kill();
  await quiet();
  sessions.take = take;
  a.sweepAfter(5_000);
  await quiet();

  const back = a.client();
  await back.connect({ clientId: 'away', ...DURABLE });
  await quiet();
  expect(back.takeTexts()).toEqual(['in the inbox']);
});
