import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { BridgeNodes } from '#libs/testkit';

const CLIENTS = ['c0', 'c1'];
const NODES = 3;
const LANES = 3;
const RUNS = 150;
/** Less than a hold lasts: what has to wait finds its time in the end. */
const CALM_MS = 25_000;
const WAIT_MS = 120_000;

const client = fc.constantFrom(...CLIENTS);
const node = fc.nat(NODES - 1);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      client,
      rule: fc.constantFrom('spool' as const, 'kafka' as const),
      // Some fill the memory of a rule at once, so that the rest waits on the disk.
      count: fc.constantFrom(1, 1, 2, 400),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('move' as const), client, node }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('away' as const), node }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('stick' as const), node, lane: fc.nat(LANES - 1) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('back' as const), node }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deaf' as const), node }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(400) }) },
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

async function take(world: BridgeNodes, each: Step): Promise<void> {
  if (each.kind === 'publish') {
    for (let left = each.count; left > 0; left -= 1) world.publish(each.client, each.rule, 300);
    return;
  }
  if (each.kind === 'pass') return jest.advanceTimersByTimeAsync(each.ms);
  const at = world.node(`n${String(each.node)}`);
  switch (each.kind) {
    case 'move':
      return world.move(each.client, at);
    case 'away':
      at.sink.away = true;
      return;
    case 'stick':
      at.sink.stuck.add(each.lane);
      return;
    case 'deaf':
      at.isDeaf = true;
      return;
    case 'back':
      at.sink.away = false;
      at.isDeaf = false;
      at.sink.stuck.clear();
  }
}

describe('clients that change nodes', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('have their records delivered in order, and no acknowledged one is lost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 40, size: 'max' }),
        async (steps) => {
          const world = await BridgeNodes.open(NODES, WAIT_MS);
          for (const each of steps) await take(world, each);
          for (const { self } of world.nodes) {
            await take(world, { kind: 'back', node: Number(self.nodeId.slice(1)) });
          }
          await jest.advanceTimersByTimeAsync(CALM_MS);

          const lost = new Set(world.acknowledged);
          for (const value of world.stored) lost.delete(value.replace(/\.+$/, ''));
          expect([...lost]).toEqual([]);
          for (const name of CLIENTS) {
            for (const rule of ['spool', 'kafka'] as const) {
              const numbers = world.numbersOf(name, rule);
              expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
            }
          }
          for (const { held, ends } of world.nodes) {
            expect(held).toBe(0);
            expect(ends).not.toContain('timed_out');
          }
          const closed = world.close();
          await jest.advanceTimersByTimeAsync(10_000);
          await closed;
        },
      ),
      { numRuns: RUNS },
    );
  }, 60_000);
});
