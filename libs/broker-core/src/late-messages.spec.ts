import { beforeEach, describe, expect, it } from '@jest/globals';
import { DURABLE, MemoryFleet, quiet, type FleetNode, type MemoryClient } from '#libs/testkit';

let fleet: MemoryFleet;
let a: FleetNode;
let b: FleetNode;

beforeEach(async () => {
  fleet = new MemoryFleet();
  a = await fleet.join('a');
  b = await fleet.join('b');
});

async function published(publisher: MemoryClient, text: string): Promise<number> {
  publisher.publish('t', text, { qos: 1 });
  return (await publisher.next('puback')).reasonCode;
}

describe('a session that was taken from a node by force', () => {
  it('costs that node no look into the store for each late message', async () => {
    await (await a.connected('client', DURABLE)).subscribe('t');
    a.bus.isDeaf = true;
    a.bus.isPaused = true;
    const client = await b.connected('client', DURABLE);
    const publisher = await a.connected('publisher');
    // This write is refused, which does not say who has the session.
    expect(await published(publisher, '0')).toBe(0);
    a.bus.resume();
    await quiet();
    let loads = 0;
    const load = fleet.sessions.load.bind(fleet.sessions);
    fleet.sessions.load = (clientId) => {
      loads += 1;
      return load(clientId);
    };
    const texts = ['1', '2', '3'];
    for (const text of texts) expect(await published(publisher, text)).toBe(0);
    await quiet();
    expect([loads, client.takeTexts()]).toEqual([0, ['0', ...texts]]);
  });

  it('does not hold up what that node has read of its inbox while it was about to let it go', async () => {
    await (await a.connected('client', DURABLE)).subscribe('t');
    // Its mark is behind what waits for the session.
    a.bus.isPaused = true;
    const client = await b.connected('client', DURABLE);
    const publisher = await a.connected('publisher');
    expect(await published(publisher, 'late')).toBe(0);
    await quiet();
    expect(client.takeTexts()).toEqual(['late']);
  });
});
