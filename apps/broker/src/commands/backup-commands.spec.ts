import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CommandOf, WireBackupQueued, WireSavedSession } from '#libs/api-contracts';
import { encodeMessage, type Message } from '#libs/broker-ports';
import { LocalDelayedStore, LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  DURABLE,
  MemoryNode,
  fakeClock,
  messageOf,
  queuedOf,
  quiet,
  type FakeClock,
} from '#libs/testkit';
import { BackupCommands } from './backup-commands.ts';

const DELAYS = { messagesMax: 2, bytesMax: 1_000_000 };

let clock: FakeClock;
let listings = 0;

/** A node with everything in memory. */
class Side {
  readonly sessions = new LocalSessionStore({ clock: clock.now });
  readonly retained = new LocalRetainedStore({ clock: clock.now });
  readonly delayed = new LocalDelayedStore({ clock: clock.now });
  readonly node = new MemoryNode({ clock, sessions: this.sessions, retained: this.retained });
  readonly commands = new BackupCommands({
    ...{ admin: this.node.node.admin, sessions: this.sessions, retained: this.retained },
    ...{ delayed: this.delayed, delays: DELAYS, nowMs: clock.now },
  });

  /** A client that is away, with a queue. */
  async away(clientId: string, payloads: readonly string[]): Promise<void> {
    const client = await this.node.connected(clientId, DURABLE);
    await client.subscribe(`to/${clientId}`, { qos: 2 });
    client.cut();
    await quiet();
    const publisher = await this.node.connected('publisher');
    for (const payload of payloads) publisher.publish(`to/${clientId}`, payload, { qos: 1 });
    await quiet();
  }

  async saved(limit = 100): Promise<readonly WireSavedSession[]> {
    const all: WireSavedSession[] = [];
    const listing = `l${(listings += 1)}`;
    for (let after: string | undefined, isFirst = true; isFirst || after !== undefined;) {
      isFirst = false;
      const page: { items: readonly WireSavedSession[]; after?: string | undefined } =
        (await this.commands.answer({
          ...{ kind: 'backup-sessions', listing, after, limit },
        })) as never;
      all.push(...page.items);
      ({ after } = page);
    }
    return all;
  }

  async restore(
    sessions: readonly WireSavedSession[],
    more: Partial<CommandOf<'restore-sessions'>> = {},
  ): Promise<readonly string[]> {
    const command = { kind: 'restore-sessions', sessions, replaces: false, dryRun: false } as const;
    const answer = await this.commands.answer({ ...command, ...more });
    return (answer as { outcomes: { kind: string }[] }).outcomes.map(({ kind }) => kind);
  }
}

let from: Side;
let to: Side;

beforeEach(() => {
  clock = fakeClock();
  from = new Side();
  to = new Side();
});

const textOf = (message: Message): string => Buffer.from(encodeMessage(message)).toString('base64');

describe('sessions', () => {
  it('come in pages, those of nodes that have gone too, and not those that end with their connection', async () => {
    for (const id of ['c', 'a', 'd', 'b']) await from.away(id, [`for ${id}`]);
    const gone = { nodeId: 'gone', incarnation: 1 };
    const request = { cleanStart: true, durable: true, connected: true, nowMs: clock.now() };
    const own = { clientId: 'e', node: gone, expiryIntervalSeconds: 60 };
    await from.sessions.take({ ...request, ...own });
    for (const limit of [1, 2, 100]) {
      const ids = (await from.saved(limit)).map(({ session }) => session.clientId);
      expect(ids).toEqual(['a', 'b', 'c', 'd', 'e']);
    }
  });

  it('are equal on the other side, and made once', async () => {
    await from.away('a', ['1', '2', '3']);
    const saved = await from.saved();
    expect(await to.restore(saved, { dryRun: true })).toEqual(['restored']);
    expect(await to.saved()).toEqual([]);
    expect(await to.restore(saved)).toEqual(['restored']);
    expect(await to.saved()).toEqual(saved);
    expect(await to.restore(saved)).toEqual(['present']);
    expect(await to.restore(saved, { dryRun: true })).toEqual(['present']);
    expect(await to.restore(saved, { dryRun: true, replaces: true })).toEqual(['restored']);
    const client = await to.node.connected('a', DURABLE);
    await quiet();
    expect(client.takeTexts()).toEqual(['1', '2', '3']);
    expect(await to.restore(saved, { dryRun: true, replaces: true })).toEqual(['connected']);
  });

  it('that cannot be read are refused one by one', async () => {
    await from.away('a', ['1']);
    await from.away('b', ['1', '2']);
    const [a, b] = await from.saved();
    if (a === undefined || b === undefined) throw new Error('missing');
    const broken = { ...a, queue: [[1, 'AAAA']] as const };
    const disordered = { ...b, queue: b.queue.toReversed() };
    expect(await to.restore([broken, disordered, b])).toEqual([
      'unreadable',
      'unreadable',
      'restored',
    ]);
  });

  it('with a large queue come and go piece by piece', async () => {
    const payloads = Array.from({ length: 12 }, (_, at) =>
      String.fromCharCode(65 + at).repeat(60_000),
    );
    await from.away('a', payloads);
    const [first] = await from.saved();
    if (first?.next === undefined) throw new Error('there is no more of the queue');
    const pieces: (readonly WireBackupQueued[])[] = [first.queue];
    for (let after: WireSavedSession['next'] = first.next; after !== undefined;) {
      const until = first.session.lastSequence;
      const rest: { queue: readonly WireBackupQueued[]; next?: typeof after } =
        (await from.commands.answer({
          ...{ kind: 'backup-queue', clientId: 'a', after, until },
        })) as never;
      pieces.push(rest.queue);
      after = rest.next;
    }
    expect(pieces.flat()).toHaveLength(12);
    const answers: unknown[] = [];
    for (const [at, queue] of pieces.entries()) {
      const session = at === 0 ? first.session : undefined;
      const isLast = at === pieces.length - 1;
      const part = { kind: 'restore-session-part', token: 't', session, queue, isLast } as const;
      answers.push(await to.commands.answer({ ...part, replaces: false }));
    }
    expect(answers).toEqual([
      ...pieces.slice(1).map(() => ({})),
      { outcome: { kind: 'restored' } },
    ]);
    const found = await to.sessions.read('a', undefined, 100);
    expect(found.map(({ message }) => Buffer.from(message.payload).toString())).toEqual(payloads);
  });

  it('of which a piece cannot be read are not there', async () => {
    await from.away('a', ['1']);
    const [saved] = await from.saved();
    if (saved === undefined) throw new Error('missing');
    const { session } = saved;
    const part = { kind: 'restore-session-part', token: 't', replaces: false } as const;
    const answer = (
      more: Pick<CommandOf<'restore-session-part'>, 'queue' | 'isLast' | 'session'>,
    ) => to.commands.answer({ ...part, ...more });
    expect(await answer({ queue: saved.queue, isLast: false, session })).toEqual({});
    expect(await answer({ queue: [[9, 'AAAA']], isLast: true })).toEqual({
      outcome: { kind: 'failed' },
    });
    expect(await to.saved()).toEqual([]);
    // Nobody knows it any more.
    expect(await answer({ queue: [], isLast: true })).toEqual({ outcome: { kind: 'failed' } });
  });

  it('leave out what their client has received in a queue', async () => {
    await from.away('a', ['1']);
    const position = { epoch: 9_999_999_999_999, sequence: 5 };
    const [{ session } = { session: undefined }] = await from.saved();
    const record = await from.sessions.load('a');
    if (session === undefined || record === undefined) throw new Error('missing');
    const { epoch } = record;
    await from.sessions.write([
      { kind: 'append', clientId: 'a', epoch, queued: queuedOf(position), once: false },
      {
        ...{ kind: 'release', clientId: 'a', epoch, packetId: 5 },
        position: { epoch: 0, sequence: 0 },
      },
    ]);
    const [after] = await from.saved();
    expect(after?.queue.map(([sequence]) => sequence)).toEqual([1]);
    expect(after?.session.releasedPacketIds).toEqual([5]);
  });
});

describe('retained messages', () => {
  const retainedOf = (topic: string, more: Partial<Message> = {}): Message =>
    messageOf({ topic, retain: true, ...more });

  const page = async (side: Side, listing: string, number: number) =>
    (await side.commands.answer({ kind: 'backup-retained', listing, page: number })) as {
      kind: string;
      messages: readonly string[];
      hasMore: boolean;
    };

  it('come in pages, of which the latest may be asked for again', async () => {
    const messages = ['a', 'b', '$own', '$own/c'].map((topic) =>
      retainedOf(topic, { payload: new Uint8Array(500_000) }),
    );
    await from.retained.store(messages);
    const first = await page(from, 'l', 0);
    expect(await page(from, 'l', 0)).toEqual(first);
    const seen = [...first.messages];
    for (let number = 1, hasMore = true; hasMore; number += 1) {
      const next = await page(from, 'l', number);
      seen.push(...next.messages);
      ({ hasMore } = next);
    }
    expect(seen.toSorted()).toEqual(messages.map(textOf).toSorted());
    expect(await page(from, 'l', 9)).toMatchObject({ kind: 'lost' });
    expect(await page(from, 'other', 1)).toMatchObject({ kind: 'lost' });
  });

  it('are stored as they were, and take the place of others only if asked', async () => {
    const kept = retainedOf('a', { expiresAtMs: clock.now() + 1_000 });
    const other = retainedOf('b');
    await to.retained.store([retainedOf('b', { payload: Buffer.from('newer') })]);
    const messages = [textOf(kept), textOf(other), 'AAAA', textOf(messageOf({ retain: false }))];
    const command = { kind: 'restore-retained', messages, replaces: false } as const;
    const restored = { outcomes: ['restored', 'present', 'unreadable', 'unreadable'] };
    expect(await to.commands.answer({ ...command, dryRun: true })).toEqual(restored);
    expect(to.retained.size().messages).toBe(1);
    expect(await to.commands.answer({ ...command, dryRun: false })).toEqual(restored);
    const again = { ...command, replaces: true, dryRun: false };
    expect(await to.commands.answer(again)).toMatchObject({
      outcomes: ['unchanged', 'restored', 'unreadable', 'unreadable'],
    });
    const [found] = (await to.retained.list({ filter: 'a', limit: 1 })).messages;
    expect(found).toEqual(kept);
    clock.advance(1_000);
    expect(await to.commands.answer(again)).toMatchObject({
      outcomes: ['expired', 'unchanged', 'unreadable', 'unreadable'],
    });
  });
});

it('delayed messages wait until their time on the other side', async () => {
  const message = messageOf({ topic: 'later', qos: 1 });
  await from.delayed.add([{ message, delayMs: 5_000 }], DELAYS);
  const { items } = (await from.commands.answer({ kind: 'backup-delayed' })) as {
    items: readonly { dueAtMs: number; message: string }[];
  };
  expect(items).toEqual([{ dueAtMs: clock.now() + 5_000, message: textOf(message) }]);
  clock.advance(2_000);
  const more = { dueAtMs: 0, message: textOf(messageOf({ topic: 'now' })) };
  const command = {
    kind: 'restore-delayed',
    items: [...items, { dueAtMs: 0, message: 'AAAA' }, more, more],
  } as const;
  const answer = { outcomes: ['restored', 'unreadable', 'restored', 'full'] };
  expect(await to.commands.answer({ ...command, dryRun: true })).toMatchObject({
    outcomes: ['restored', 'unreadable', 'restored', 'restored'],
  });
  expect(await to.commands.answer({ ...command, dryRun: false })).toEqual(answer);
  const { items: waiting } = await to.delayed.page({ limit: 10 });
  expect(waiting.find((each) => each.message.topic === 'later')).toMatchObject({
    ...{ dueAtMs: clock.now() + 3_000, message },
  });
});
