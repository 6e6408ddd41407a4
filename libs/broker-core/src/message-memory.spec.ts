import { describe, expect, it } from '@jest/globals';
import { MessageMemory } from './message-memory.ts';

const A = { nodeId: 'a', incarnation: 1 };

describe('MessageMemory', () => {
  it('knows a message by its node, incarnation and sequence', () => {
    const memory = new MessageMemory(10);
    const sources = [A, { ...A, incarnation: 2 }, { ...A, nodeId: 'b' }];
    for (const source of sources) expect(memory.add({ source, sequence: 7 })).toBe(true);
    for (const source of sources) expect(memory.add({ source, sequence: 7 })).toBe(false);
    memory.forget({ source: A, sequence: 7 });
    expect(memory.add({ source: A, sequence: 7 })).toBe(true);
  });

  it('remembers as many of the latest messages as promised, and not all', () => {
    const memory = new MessageMemory(100);
    for (let sequence = 1; sequence <= 1000; sequence += 1) memory.add({ source: A, sequence });
    for (let sequence = 901; sequence <= 1000; sequence += 1) {
      expect(memory.add({ source: A, sequence })).toBe(false);
    }
    expect(memory.add({ source: A, sequence: 700 })).toBe(true);
  });
});
