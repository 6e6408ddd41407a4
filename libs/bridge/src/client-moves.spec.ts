import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { BridgeNodes, type BridgeNode } from '#libs/testkit';

const WAIT_MS = 30_000;
/** More than what all clients of these tests make a rule hold in memory. */
const BEHIND = 2_000;

let world: BridgeNodes;
let a: BridgeNode;
let b: BridgeNode;
let c: BridgeNode;

beforeEach(async () => {
  jest.useFakeTimers();
  world = await BridgeNodes.open(3, WAIT_MS);
  [a, b, c] = world.nodes as [BridgeNode, BridgeNode, BridgeNode];
  await pass(100);
});

afterEach(async () => {
  const ended = world.close();
  await pass(10_000);
  await ended;
  jest.useRealTimers();
});

const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

describe.each(['spool', 'kafka'] as const)('a client that moves, with ack %s', (rule) => {
  it('waits at the new node for what waits at the old one', async () => {
    a.sink.away = true;
    world.publish('c1', rule);
    await pass(1_000);
    world.move('c1', b);
    world.publish('c1', rule);
    world.publish('c2', rule);
    world.move('c2', b);
    await pass(5_000);
    expect(world.stored).toEqual([]);
    expect(b.held).toBe(1);
    expect(world.acknowledged).toHaveLength(rule === 'spool' ? 3 : 0);

    a.sink.away = false;
    await pass(3_000);
    expect(world.numbersOf('c1', rule)).toEqual([1, 2]);
    expect(b.held).toBe(0);
    expect(b.ends).toEqual(['drained', 'drained']);
  });

  it('goes through at once when nothing waits, and nobody is asked', async () => {
    world.publish('c1', rule);
    await pass(100);
    world.move('c1', b);
    world.publish('c1', rule);
    await pass(50);
    expect(world.numbersOf('c1', rule)).toEqual([1, 2]);
    expect([a.asked, b.ends]).toEqual([0, []]);
  });

  it('comes back in order, through other nodes, with and without records there', async () => {
    for (const { sink } of world.nodes) sink.away = true;
    for (const node of [b, a, c, b, c, a]) {
      world.publish('c1', rule);
      if (node !== c) world.publish('c1', rule);
      world.move('c1', node);
    }
    world.publish('c1', rule);
    await pass(2_000);
    // The last node is there first.
    for (const { sink } of world.nodes.toReversed()) {
      sink.away = false;
      await pass(2_000);
    }
    await pass(5_000);
    const numbers = world.numbersOf('c1', rule);
    expect(numbers).toEqual(upTo(numbers.length));
    expect(numbers.length).toBeGreaterThan(10);
    for (const { ends } of world.nodes) expect(ends).not.toContain('timed_out');
  });

  it('does not keep those that have always been there waiting', async () => {
    a.sink.away = true;
    world.move('c2', b);
    world.publish('c1', rule);
    world.move('c1', b);
    world.publish('c1', rule);
    world.publish('c2', rule);
    await pass(1_000);
    expect(world.stored).toEqual([`${rule} c2/1`]);
  });

  it('goes on when the old node is dead', async () => {
    a.sink.away = true;
    world.publish('c1', rule);
    await pass(100);
    world.move('c1', b);
    world.publish('c1', rule);
    await pass(1_000);
    expect(b.held).toBe(1);
    a.isAlive = false;
    await pass(200);
    expect(world.numbersOf('c1', rule)).toEqual([2]);
    expect(b.ends).toEqual(['node_gone']);
  });

  it('goes on when its time is up, which does not pass while the other side is away', async () => {
    a.sink.away = true;
    b.sink.away = true;
    world.publish('c1', rule);
    await pass(100);
    world.move('c1', b);
    world.publish('c1', rule);
    await pass(WAIT_MS);
    b.sink.away = false;
    await pass(WAIT_MS / 2);
    expect(world.stored).toEqual([]);
    await pass(WAIT_MS);
    // With ack kafka its publisher was refused meanwhile, and sends it again.
    expect(world.numbersOf('c1', rule)).toEqual(rule === 'spool' ? [2] : []);
    expect(b.ends).toEqual(['timed_out']);
    expect(b.log.lines).toContainEqual(
      expect.objectContaining({
        event: 'bridge-holds-timed-out',
        fields: { rule, clients: 1, records: 1 },
      }),
    );
  });

  it('waits for a node of which it is not known what waits there, once it answers', async () => {
    a.sink.away = true;
    a.isDeaf = true;
    world.publish('c1', rule);
    await pass(100);
    b.moves.arrived('c1', [{ node: a.self, queues: undefined }]);
    world.move('c1', c);
    world.move('c1', b);
    world.publish('c1', rule);
    await pass(1_000);
    a.isDeaf = false;
    await pass(1_000);
    expect(world.stored).toEqual([]);
    a.sink.away = false;
    await pass(3_000);
    expect(world.numbersOf('c1', rule)).toEqual([1, 2]);
  });

  it('is not held up by a rule that it has nothing to do with', async () => {
    const other = rule === 'spool' ? 'kafka' : 'spool';
    a.sink.away = true;
    world.publish('c1', other);
    await pass(100);
    world.move('c1', b);
    world.publish('c1', rule);
    await pass(100);
    expect(world.stored).toEqual([`${rule} c1/2`]);
  });
});

describe('a client whose records wait on the disk', () => {
  it('finds them in order when both nodes are behind', async () => {
    a.sink.away = true;
    b.sink.away = true;
    for (let index = 0; index < BEHIND; index += 1) world.publish('c1');
    await pass(500);
    world.move('c1', b);
    for (let index = 0; index < BEHIND; index += 1) world.publish('c1');
    await pass(500);
    world.move('c1', a);
    for (let index = 0; index < 10; index += 1) world.publish('c1');
    await pass(500);
    expect(world.acknowledged).toHaveLength(2 * BEHIND + 10);
    b.sink.away = false;
    await pass(3_000);
    expect(world.stored).toEqual([]);
    a.sink.away = false;
    await pass(20_000);
    expect(world.numbersOf('c1')).toEqual(upTo(2 * BEHIND + 10));
    expect([...a.ends, ...b.ends]).not.toContain('timed_out');
  });

  it('is held again by the next version of the rule', async () => {
    a.sink.away = true;
    world.publish('c1');
    await pass(100);
    world.move('c1', b);
    world.publish('c1');
    await pass(100);
    const [spooled, inMemory] = world.rules;
    b.bridge.apply([{ ...spooled, headers: { site: 'x' } }, inMemory]);
    await pass(6_000);
    world.publish('c1');
    await pass(100);
    expect(world.stored).toEqual([]);
    a.sink.away = false;
    await pass(3_000);
    expect(world.numbersOf('c1')).toEqual([1, 2, 3]);
  });
});

describe('a rule that ends', () => {
  it('sends what is held in memory rather than to lose it', async () => {
    a.sink.away = true;
    world.publish('c1', 'kafka');
    await pass(100);
    world.move('c1', b);
    world.publish('c1', 'kafka');
    await pass(100);
    b.bridge.apply([]);
    await pass(100);
    expect(world.acknowledged).toEqual(['kafka c1/2']);
  });
});

describe('a node that leaves', () => {
  it('is quiet when nothing waits, when that has gone, or when its time is up', async () => {
    const quiet: string[] = [];
    const asked = (name: string): unknown => a.moves.quiet().then(() => quiet.push(name));
    await asked('at once');
    let goOn = (): void => undefined;
    a.sink.slow = new Promise((resolve) => (goOn = resolve));
    world.publish('c1');
    await pass(100);
    asked('delivered');
    await pass(500);
    expect(quiet).toEqual(['at once']);
    goOn();
    await pass(200);
    expect(quiet).toEqual(['at once', 'delivered']);

    a.sink.slow = new Promise((resolve) => (goOn = resolve));
    world.publish('c1');
    await pass(100);
    asked('late');
    await pass(1_500);
    expect(quiet).toEqual(['at once', 'delivered', 'late']);
    goOn();
  });
});

it('with a wait of 0 nothing is held and nobody is asked', async () => {
  const hasty = await BridgeNodes.open(2, 0);
  const [first, second] = hasty.nodes as [BridgeNode, BridgeNode];
  first.sink.away = true;
  hasty.publish('c1');
  await pass(100);
  expect(first.moves.backlogs('c1', true)).toEqual([]);
  second.moves.arrived('c1', [{ node: first.self, queues: first.moves.queues() }]);
  hasty.move('c1', second);
  hasty.publish('c1');
  await pass(100);
  expect(hasty.numbersOf('c1')).toEqual([2]);
  const ended = hasty.close();
  await pass(10_000);
  await ended;
});
