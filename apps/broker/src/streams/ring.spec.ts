import { expect, it } from '@jest/globals';
import { Ring } from './ring.ts';

const ringOf = () => new Ring<string>({ entriesMax: 3, bytesMax: 1_000 }, (text) => text.length);

it('whoever has waited in vain is not kept', async () => {
  const ring = ringOf();
  const waiting = Array.from({ length: 50 }, () => ring.after(0, 1));
  expect(ring.waiting).toBe(50);
  await Promise.all(waiting);
  expect(ring.waiting).toBe(0);
});

it('whoever waits hears what comes, and of the end', async () => {
  const ring = ringOf();
  const [one, other] = [ring.after(0, 60_000), ring.after(0, 60_000)];
  ring.append('a');
  await Promise.all([one, other]);
  expect(ring.read(0, 10, () => true)).toEqual({ entries: ['a'], last: 1, lost: 0 });
  const last = ring.after(1, 60_000);
  ring.close();
  await last;
  expect(ring.waiting).toBe(0);
});
