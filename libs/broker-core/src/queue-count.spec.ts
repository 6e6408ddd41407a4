import { beforeEach, describe, expect, it } from '@jest/globals';
import { QueueCount } from './queue-count.ts';

let queue: QueueCount;

beforeEach(() => {
  queue = new QueueCount();
});

function counts(): readonly number[] {
  return [queue.messages, queue.bytes];
}

describe('the count of a queue', () => {
  it('takes off what each message took, whatever the others do', () => {
    const sizes = [1_000_000, ...Array<number>(1_000).fill(10)];
    for (const size of sizes) queue.add(size);
    queue.remove({ sequence: 1 }, 1_000_000);
    expect(counts()).toEqual([1_000, 10_000]);
    queue.remove({ sequence: 2 }, 10);
    expect(counts()).toEqual([999, 9_990]);
  });

  it('takes the mean off for what was found, and is exact when the last of it has gone', () => {
    queue.resume({ queueMessages: 2, queueBytes: 5_000, lastSequence: 7 });
    queue.add(100);
    expect(counts()).toEqual([3, 5_100]);
    queue.remove({ sequence: 6 }, 10);
    expect(counts()).toEqual([2, 2_600]);
    queue.remove({ sequence: 7 }, 10);
    expect(counts()).toEqual([1, 100]);
    queue.remove({ sequence: 8 }, 100);
    expect(counts()).toEqual([0, 0]);
  });

  it('believes its own bytes when the session is taken again, and the store as to the messages', () => {
    queue.add(100);
    queue.add(50);
    queue.resume({ queueMessages: 2, queueBytes: 4_000, lastSequence: 2 });
    expect(counts()).toEqual([2, 150]);
    queue.remove({ sequence: 1 }, 100);
    queue.resume({ queueMessages: 0, queueBytes: 0, lastSequence: 2 });
    expect(counts()).toEqual([0, 0]);
  });

  it('counts a message that was stored although its answer was lost until it is gone', () => {
    queue.add(100);
    queue.add(50);
    queue.remove({ sequence: 2 }, 50);
    queue.resume({ queueMessages: 2, queueBytes: 4_000, lastSequence: 2 });
    expect(counts()).toEqual([2, 100]);
    queue.remove({ sequence: 1 }, 100);
    queue.remove({ sequence: 2 }, 50);
    expect(counts()).toEqual([0, 0]);
  });

  it('never falls below nothing', () => {
    queue.remove({ sequence: 1 }, 5);
    queue.add(5);
    queue.remove({ sequence: 1 }, 50);
    expect(counts()).toEqual([0, 0]);
  });
});
