import { beforeEach, describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import {
  DURABLE,
  fakeClock,
  MemoryFleet,
  quiet,
  type FakeClock,
  type FleetNode,
} from '#libs/testkit';
import { PASSED_ON_MS } from './moved-sessions.ts';

let clock: FakeClock;
let fleet: MemoryFleet;
/** What each node has taken off its list, call by call. */
let disowned: [nodeId: string, clientIds: readonly string[]][];
let a: FleetNode;
let b: FleetNode;

beforeEach(async () => {
  clock = fakeClock();
  fleet = new MemoryFleet(clock);
  disowned = [];
  a = await join('a');
  b = await join('b');
});

async function join(nodeId: string): Promise<FleetNode> {
  const limits = { connectTimeoutMs: PASSED_ON_MS * 10 };
  const joined = await fleet.join(nodeId, { limits });
  joined.store.disown = async (owner, clientIds) => {
    expect(owner.nodeId).toBe(nodeId);
    disowned.push([nodeId, clientIds]);
  };
  return joined;
}

async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  for (const memory of [a, b]) memory.node.sweep();
  await quiet();
}

describe('a node that sessions have left', () => {
  it('takes them off its list together, a minute later', async () => {
    for (const clientId of ['one', 'two', 'stays']) await a.connected(clientId, DURABLE);
    for (const clientId of ['one', 'two']) await b.connected(clientId, DURABLE);
    await pass(PASSED_ON_MS);
    expect(disowned).toEqual([]);
    await pass(1);
    expect(disowned).toEqual([['a', ['one', 'two']]]);
    await pass(PASSED_ON_MS * 2);
    expect(disowned).toHaveLength(1);
  });

  it('keeps those that are back, and those that left anew', async () => {
    for (const clientId of ['back', 'again']) await a.connected(clientId, DURABLE);
    for (const clientId of ['back', 'again']) await b.connected(clientId, DURABLE);
    await pass(PASSED_ON_MS / 2);
    for (const clientId of ['back', 'again']) await a.connected(clientId, DURABLE);
    await b.connected('again', DURABLE);
    await pass(PASSED_ON_MS / 2 + 1);
    expect(disowned).toEqual([]);
    await pass(PASSED_ON_MS / 2);
    expect(disowned).toEqual([
      ['a', ['again']],
      ['b', ['back']],
    ]);
  });

  it('keeps one that is about to be back', async () => {
    await a.connected('client', DURABLE);
    await b.connected('client', DURABLE);
    let goOn = (): void => undefined;
    const take = fleet.sessions.take.bind(fleet.sessions);
    fleet.sessions.take = async (request) => {
      const result = await take(request);
      // The store has given it to the node, which does not know it yet.
      if (result.kind === 'taken') await new Promise<void>((resolve) => (goOn = resolve));
      return result;
    };
    const back = a.connected('client', DURABLE);
    await quiet();
    expect(await fleet.sessions.load('client')).toMatchObject({ owner: { nodeId: 'a' } });
    await pass(PASSED_ON_MS + 1);
    goOn();
    await back;
    expect(disowned).toEqual([]);
  });

  it('keeps one whose take has failed: it may be carried out yet', async () => {
    await a.connected('client', DURABLE);
    const take = fleet.sessions.take.bind(fleet.sessions);
    fleet.sessions.take = async (request) => {
      if (request.replacesEpoch !== undefined) throw new StoreUnavailableError('away');
      return await take(request);
    };
    expect(await b.client().connect({ clientId: 'client', ...DURABLE })).toMatchObject({
      reasonCode: 0x88,
    });
    await pass(2_000);
    await pass(PASSED_ON_MS + 1);
    expect(disowned).toEqual([]);
  });

  it('takes one off that it has lost unnoticed', async () => {
    const client = await a.connected('client', DURABLE);
    const { epoch = 0 } = (await fleet.sessions.load('client')) ?? {};
    await fleet.sessions.take({
      ...{ clientId: 'client', node: { nodeId: 'b', incarnation: 9 }, cleanStart: false },
      ...{ nowMs: clock.now(), durable: true, expiryIntervalSeconds: 3600, connected: true },
      replacesEpoch: epoch,
    });
    client.cut();
    await quiet();
    await pass(PASSED_ON_MS + 1);
    expect(disowned).toEqual([['a', ['client']]]);
  });
});
