import { describe, expect, it } from '@jest/globals';
import { MessageMemory } from './message-memory.ts';

const BOUNDS = { messagesMin: 100, ageMs: 1_000, messagesMax: 500 };
const A = { nodeId: 'a', incarnation: 1 };

describe('MessageMemory', () => {
  it('knows a message by its node, incarnation and sequence', () => {
    const memory = new MessageMemory(BOUNDS, () => 0);
    const sources = [A, { ...A, incarnation: 2 }, { ...A, nodeId: 'b' }];
    for (const source of sources) expect(memory.add({ source, sequence: 7 })).toBe(true);
    for (const source of sources) expect(memory.add({ source, sequence: 7 })).toBe(false);
    memory.forget({ source: A, sequence: 7 });
    expect(memory.add({ source: A, sequence: 7 })).toBe(true);
  });

  it.each([
    { what: 'as many of the latest messages as promised', stepMs: 1_000, known: 900, lost: 700 },
    { what: 'more of them as long as they are young', stepMs: 0, known: 500, lost: 0 },
  ])('remembers $what, and not all', ({ stepMs, known, lost }) => {
    let nowMs = 0;
    const memory = new MessageMemory(BOUNDS, () => (nowMs += stepMs));
    for (let sequence = 0; sequence < 1_000; sequence += 1) memory.add({ source: A, sequence });
    for (let sequence = known; sequence < 1_000; sequence += 1) {
      expect(memory.add({ source: A, sequence })).toBe(false);
    }
    expect(memory.add({ source: A, sequence: lost })).toBe(true);
  });
});
