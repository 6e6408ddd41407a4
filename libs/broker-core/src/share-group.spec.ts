import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Message } from '#libs/broker-ports';
import { FULL, type Receiver } from './receiver.ts';
import { GroupPublish, ShareGroup, type ShareStrategy } from './share-group.ts';
import type { Subscription } from './subscription.ts';

const FILTER = '$share/workers/jobs';

const MESSAGE: Message = {
  ...{ topic: 'jobs', payload: new Uint8Array(), qos: 1, retain: false, publisher: 'publisher' },
  ...{ source: { nodeId: 'a', incarnation: 1 }, sequence: 1, receivedAtMs: 0, expiresAtMs: 0 },
  origin: 'client',
};

interface Member extends Receiver {
  backlog: number | undefined;
}

let group: ShareGroup;

beforeEach(() => {
  group = new ShareGroup(FILTER);
});

function subscriptionOf(entry: Receiver): Subscription {
  return {
    ...{ filter: FILTER, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 },
    ...{ subscriptionIdentifier: 0, entry },
  };
}

const PRESENT = { backlog: 0 };
const AWAY = { backlog: undefined };

function join(clientId: string, state: { readonly backlog: number | undefined }): Member {
  const member: Member = {
    clientId,
    ...state,
    durable: false,
    arrivedAtMs: -Infinity,
    deliver: () => undefined,
  };
  group.add(subscriptionOf(member));
  return member;
}

function setBacklog(member: Member, backlog: number | undefined): void {
  member.backlog = backlog;
  group.refresh(member);
}

/** Who gets so many messages, in alphabetical order. */
function picked(count: number, strategy: ShareStrategy = 'round-robin'): readonly string[] {
  const picks = Array.from({ length: count }, () => group.pick(MESSAGE, strategy));
  return picks.map((target) => target?.entry.clientId ?? 'nobody').toSorted();
}

describe('ShareGroup', () => {
  it('goes round those that are connected, whoever comes and goes', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((clientId) => join(clientId, PRESENT));
    if (a === undefined || b === undefined || c === undefined) throw new Error('no members');
    setBacklog(a, undefined);
    expect(picked(4)).toEqual(['b', 'b', 'c', 'c']);
    join('d', AWAY);
    setBacklog(c, undefined);
    expect([picked(2), group.connected, group.size]).toEqual([['b', 'b'], 1, 4]);
    setBacklog(a, 0);
    expect(picked(4)).toEqual(['a', 'a', 'b', 'b']);
    setBacklog(a, undefined);
    setBacklog(b, undefined);
    expect([picked(4), group.connected]).toEqual([['a', 'b', 'c', 'd'], 0]);
  });

  it('forgets who leaves, connected or not', () => {
    const subscriptions = ['a', 'b', 'c', 'd'].map((clientId, index) =>
      subscriptionOf({
        clientId,
        backlog: index % 2 === 0 ? 0 : undefined,
        durable: false,
        arrivedAtMs: -Infinity,
        deliver: () => undefined,
      }),
    );
    for (const subscription of subscriptions) group.add(subscription);
    for (const [index, subscription] of subscriptions.entries()) {
      if (index < 2) group.remove(subscription);
    }
    expect([picked(2), group.connected, group.size]).toEqual([['c', 'c'], 1, 2]);
  });

  it.each(['round-robin', 'least-inflight', 'hash-topic', 'sticky', 'local'] as const)(
    'passes over who can take no more while anybody else can: %s',
    (strategy) => {
      const members = ['a', 'b', 'c'].map((clientId) => join(clientId, { backlog: FULL }));
      expect(picked(6, strategy)).not.toContain('nobody');
      for (const member of members) {
        member.backlog = 5;
        expect(new Set(picked(6, strategy))).toEqual(new Set([member.clientId]));
        member.backlog = FULL;
      }
    },
  );

  it('does not look at those that are away', () => {
    let looks = 0;
    const backlog = {
      get: () => {
        looks += 1;
        return undefined;
      },
    };
    for (let index = 0; index < 1000; index += 1) {
      Object.defineProperty(join(`away-${String(index)}`, AWAY), 'backlog', backlog);
    }
    join('present', PRESENT);
    expect(new Set(picked(100, 'least-inflight'))).toEqual(new Set(['present']));
    expect(looks).toBe(0);
  });
});

describe('GroupPublish that waits', () => {
  it('keeps its own bytes, not the chunk that they came in', () => {
    const payload = new Uint8Array(65_536).subarray(5, 7);
    const publish = new GroupPublish({ ...MESSAGE, payload }, false, FILTER);
    publish.compact();
    const fields: readonly unknown[] = Object.values(publish);
    expect(fields).not.toContainEqual(expect.objectContaining({ payload }));
    expect(publish.message.payload.buffer.byteLength).toBe(2);
  });
});
