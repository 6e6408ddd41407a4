import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { QueuePosition } from '#libs/broker-ports';
import { queuedOf } from '#libs/testkit';
import { SessionQueue } from './session-queue.ts';

const position = fc.record({
  epoch: fc.integer({ min: 1, max: 3 }),
  sequence: fc.integer({ min: 1, max: 80 }),
});
const step = fc.record({
  kind: fc.constantFrom('add', 'add', 'remove'),
  position,
  length: fc.nat(9),
});

const rankOf = ({ epoch, sequence }: QueuePosition): number => epoch * 1000 + sequence;

describe('SessionQueue', () => {
  it('equals a sorted list after any adds and removals, in any order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), position, (steps, after) => {
        const queue = new SessionQueue();
        const model = new Map<number, QueuePosition>();
        const lengths = new Map<number, number>();
        for (const { kind, position: at, length } of steps) {
          const isRemoval = kind === 'remove';
          const removed = isRemoval && queue.remove(at);
          expect(removed).toBe(isRemoval && model.delete(rankOf(at)));
          lengths.set(rankOf(at), isRemoval ? 0 : length);
          if (isRemoval) continue;
          queue.add(queuedOf(at, { topic: '', payload: new Uint8Array(length) }));
          model.set(rankOf(at), at);
        }
        const sorted = [...model.values()].sort((one, other) => rankOf(one) - rankOf(other));
        const later = sorted.filter((at) => rankOf(at) > rankOf(after));
        expect(queue.size).toBe(sorted.length);
        expect(queue.bytes).toBe([...lengths.values()].reduce((sum, length) => sum + length, 0));
        expect([...queue.positions()]).toEqual(sorted);
        expect(queue.read(undefined, 5).map((queued) => queued.position)).toEqual(
          sorted.slice(0, 5),
        );
        expect(queue.read(after, 5).map((queued) => queued.position)).toEqual(later.slice(0, 5));
      }),
    );
  });
});
