import { describe, expect, it } from '@jest/globals';
import { StoreUnavailableError } from '#libs/broker-ports';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import { MemoryCluster, MemoryNode, quiet } from '#libs/testkit';
import { decodeFrame } from './frame.ts';
import { InboxMarks } from './inbox-marks.ts';

function setUp() {
  const bus = new MemoryCluster().bus('a');
  const sent: number[] = [];
  bus.sendDurable = async (node, bytes) => {
    const frame = decodeFrame(bytes);
    if (node === bus.self && frame?.kind === 'mark') sent.push(frame.number);
  };
  const marks = new InboxMarks(bus);
  const told: string[] = [];
  const ask = (name: string, session: object = {}): void =>
    void marks.caughtUp(session).then((isThere) => told.push(`${name} ${String(isThere)}`));
  return { bus, marks, sent, told, ask };
}

describe('InboxMarks', () => {
  it('tells whoever asks when a mark has come that was sent afterwards', async () => {
    const { marks, sent, told, ask } = setUp();
    ask('first');
    await quiet();
    ask('second');
    ask('third');
    await quiet();
    expect([sent, told]).toEqual([[1], []]);
    marks.passed(1);
    await quiet();
    expect([sent, told]).toEqual([[1, 2], ['first true']]);
    marks.passed(1);
    await quiet();
    expect(told).toEqual(['first true']);
    marks.passed(2);
    await quiet();
    expect(told).toEqual(['first true', 'second true', 'third true']);
  });

  it('keeps nobody waiting when the inbox cannot be reached', async () => {
    const { bus, told, ask } = setUp();
    bus.sendDurable = () => Promise.reject(new StoreUnavailableError('away'));
    ask('first');
    await quiet();
    expect(told).toEqual(['first false']);
  });

  it('keeps nobody waiting when the inbox is not read any more', async () => {
    const { marks, sent, told, ask } = setUp();
    ask('first');
    await quiet();
    marks.close();
    ask('second');
    await quiet();
    expect([sent, told]).toEqual([[1], ['first false', 'second false']]);
  });

  it('keeps nobody waiting for a mark that does not come, and sends another to who asks later', async () => {
    const { marks, sent, told, ask } = setUp();
    ask('first');
    await quiet();
    for (let sweeps = 0; sweeps < 4; sweeps += 1) marks.sweep();
    ask('second');
    await quiet();
    expect([sent, told]).toEqual([[1], []]);
    marks.sweep();
    await quiet();
    expect([sent, told]).toEqual([[1, 2], ['first false']]);
    marks.passed(1);
    marks.sweep();
    await quiet();
    expect(told).toEqual(['first false']);
    marks.passed(2);
    await quiet();
    expect(told).toEqual(['first false', 'second true']);
  });
});

describe('a wait for a session that goes', () => {
  it('ends, and those for other sessions do not', async () => {
    const { marks, sent, told, ask } = setUp();
    const session = {};
    ask('first', session);
    ask('second');
    await quiet();
    marks.gone(session);
    marks.gone({});
    await quiet();
    expect([sent, told]).toEqual([[1], ['first false']]);
    marks.passed(1);
    await quiet();
    expect(told).toEqual(['first false', 'second true']);
  });
});

describe('a node whose mark Redis has lost', () => {
  it('lets go of its sessions all the same, and takes them again', async () => {
    const cluster = new MemoryCluster();
    const stores = {
      sessions: new LocalSessionStore({ clock: () => 0 }),
      retained: new LocalRetainedStore({ clock: () => 0 }),
    };
    const [a, b] = ['a', 'b'].map((nodeId) => {
      const bus = cluster.bus(nodeId);
      return { bus, memory: new MemoryNode({ ...stores, bus }) };
    });
    if (a === undefined || b === undefined) throw new Error('no nodes');
    for (const { memory } of [a, b]) await memory.node.start();
    const send = a.bus.sendDurable.bind(a.bus);
    a.bus.sendDurable = async (node, frame) => {
      if (decodeFrame(frame)?.kind !== 'mark') await send(node, frame);
    };
    const client = { clientId: 'client', cleanStart: false };
    const durable = { ...client, properties: { sessionExpiryInterval: 3600 } };
    await a.memory.client().connect(durable);
    const there = b.memory.client().connect(durable);
    await quiet();
    for (let second = 0; second < 5; second += 1) a.memory.sweepAfter(1_000);
    expect(await there).toMatchObject({ reasonCode: 0, sessionPresent: true });
    const back = await a.memory.client().connect(durable);
    expect(back).toMatchObject({ reasonCode: 0, sessionPresent: true });
  });
});
