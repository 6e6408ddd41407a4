import { describe, expect, it } from '@jest/globals';
import { Fifo } from './fifo.ts';

describe('Fifo', () => {
  it('gives back what went in, in order, while its ring grows and goes round', () => {
    const fifo = new Fifo<number>();
    const out: (number | undefined)[] = [];
    for (let index = 0; index < 1000; index += 1) {
      fifo.push(index);
      if (index % 3 !== 0) out.push(fifo.shift());
    }
    expect([...out, ...fifo]).toEqual(Array.from({ length: 1000 }, (_, index) => index));
    expect(fifo.size).toBe(1000 - out.length);
  });

  it('is empty after the last item and after clear()', () => {
    const fifo = new Fifo<string>();
    fifo.push('a');
    expect(fifo.peek()).toBe('a');
    expect([fifo.shift(), fifo.shift(), fifo.peek()]).toEqual(['a', undefined, undefined]);
    fifo.push('b');
    fifo.clear();
    expect([fifo.size, [...fifo]]).toEqual([0, []]);
  });
});
