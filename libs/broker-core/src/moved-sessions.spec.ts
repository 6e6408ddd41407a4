import { describe, expect, it } from '@jest/globals';
import type { NodeRef } from '#libs/broker-ports';
import { messageOf } from '#libs/testkit';
import { MovedSessions, PASSED_ON_MS } from './moved-sessions.ts';

const B = { nodeId: 'b', incarnation: 1 };
const C = { nodeId: 'c', incarnation: 1 };

/** For whom a message on a topic is, and where they are. */
function absent(moved: MovedSessions, topic = 't') {
  const found = new Map<string, NodeRef | undefined>();
  moved.match(messageOf({ topic, receivedAtMs: 0 }), found);
  return [...found];
}

describe('MovedSessions', () => {
  it('learns where a session is that was lost to a node that was not known', () => {
    const moved = new MovedSessions();
    moved.add('client', ['t'], { epoch: 5, nowMs: 0 });
    expect(absent(moved)).toEqual([['client', undefined]]);
    moved.learn('other', { owner: B, epoch: 6 });
    moved.learn('client', { owner: B, epoch: 6 });
    expect(absent(moved)).toEqual([['client', B]]);
  });

  it('believes the newest take only', () => {
    const moved = new MovedSessions();
    moved.add('client', ['t'], { epoch: 5, nowMs: 0 });
    moved.learn('client', { owner: C, epoch: 5 });
    expect(absent(moved)).toEqual([['client', undefined]]);
    moved.learn('client', { owner: C, epoch: 7 });
    moved.learn('client', { owner: B, epoch: 6 });
    expect(absent(moved)).toEqual([['client', C]]);
  });

  it('learns nothing of a session that was never here', () => {
    const moved = new MovedSessions();
    moved.add('client', ['t'], { nowMs: 0 });
    moved.learn('client', { owner: B, epoch: 6 });
    expect(absent(moved)).toEqual([['client', undefined]]);
  });

  it('says of each client where it was last, whichever of its moves a message belongs to', () => {
    const moved = new MovedSessions();
    moved.add('client', ['t', 'u'], { owner: B, epoch: 5, nowMs: 0 });
    moved.add('client', ['u'], { owner: C, epoch: 7, nowMs: 1 });
    expect([absent(moved, 't'), absent(moved, 'u')]).toEqual([[['client', C]], [['client', C]]]);
  });

  it('forgets one that had everything when it has arrived, and all of them after a minute', () => {
    const moved = new MovedSessions();
    moved.add('whole', ['t'], { owner: B, epoch: 5, hasAll: true, nowMs: 0 });
    moved.add('late', ['t'], { owner: B, epoch: 5, nowMs: 0 });
    for (const clientId of ['whole', 'late']) moved.arrived(clientId);
    expect(absent(moved)).toEqual([['late', B]]);
    moved.sweep(PASSED_ON_MS);
    expect([absent(moved), moved.isEmpty]).toEqual([[['late', B]], false]);
    moved.sweep(PASSED_ON_MS + 1);
    expect([absent(moved), moved.isEmpty]).toEqual([[], true]);
  });
});
