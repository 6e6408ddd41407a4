import { describe, expect, it } from '@jest/globals';
import { DoubtfulSessions } from './doubtful-sessions.ts';

const HOLDER = { clientId: 'client', epoch: 1, will: undefined };

describe('the doubts of a node that leaves', () => {
  it('end at once, those that come later too', () => {
    const doubts = new DoubtfulSessions();
    let kept = 0;
    const begin = (): void => undefined;
    const end = (): void => void (kept -= 1);
    const release = (clientId: string): void => {
      kept += 1;
      doubts.released({ ...HOLDER, clientId }, { begin, end });
    };
    release('before');
    doubts.close();
    release('after');
    expect([kept, doubts.has('before'), doubts.has('after')]).toEqual([0, false, false]);
  });
});
