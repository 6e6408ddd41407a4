import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CommandOf, DeadLetterCommand } from '#libs/api-contracts';
import {
  PublishError,
  type DeadLetter,
  type PublishDone,
  type ReplayStart,
} from '#libs/broker-ports';
import { LocalDeadLetterStore } from '#libs/store-local';
import { deadLetterOf, RecordingLog } from '#libs/testkit';
import { DeadLetterCommands } from './dead-letter-commands.ts';

const BOUNDS = { lettersMax: 10_000, bytesMax: 100_000_000, ageMsMax: 1_000_000 };

describe('commands on dead letters', () => {
  let nowMs: number;
  let store: LocalDeadLetterStore;
  let started: DeadLetter[];
  let onReplay: (letter: DeadLetter, done: PublishDone) => ReplayStart;
  let commands: DeadLetterCommands;

  beforeEach(() => {
    nowMs = 1_000;
    store = new LocalDeadLetterStore(BOUNDS, { clock: () => nowMs });
    started = [];
    onReplay = (_, done) => {
      done();
      return 'begun';
    };
    const replay = (letter: DeadLetter, done: PublishDone): ReplayStart => {
      started.push(letter);
      return onReplay(letter, done);
    };
    commands = new DeadLetterCommands({ store, bridge: { replay }, log: new RecordingLog() });
  });

  const answer = (command: DeadLetterCommand): Promise<object> => commands.answer(command);
  const list = (changes: Partial<CommandOf<'dead-letters'>> = {}) =>
    answer({ kind: 'dead-letters', query: {}, limit: 10, content: false, ...changes });
  const replay = (...ids: string[]) => answer({ kind: 'replay-dead-letters', ids, withinMs: 50 });

  it('page through those of a rule, with content when it is asked for', async () => {
    await store.append([deadLetterOf({ rule: 'a' }), deadLetterOf({ rule: 'b', valueBytes: 99 })]);
    nowMs = 2_000;
    await store.append([deadLetterOf({ rule: 'a', error: 'later' })]);
    const first = await list({ query: { rule: 'a' }, limit: 1, content: true });
    expect(first).toMatchObject({ items: [{ rule: 'a', value: 'AP8=', valueBytes: 2 }] });
    const { next } = first as { next?: string };
    const rest = await list({ query: { rule: 'a' }, limit: 1, after: next });
    expect(rest).toMatchObject({ items: [{ error: 'later', value: '', headers: {} }] });
    expect(rest).not.toHaveProperty('next');
    expect(await list({ query: { rule: 'b' } })).toMatchObject({
      items: [{ isCut: true, valueBytes: 99 }],
    });
    expect(await list({ query: { toMs: 1_500 } })).toMatchObject({ items: [{}, {}] });
    expect(await list({ query: { fromMs: 1_500, bridge: 'b' } })).toMatchObject({
      items: [{ error: 'later' }],
    });
  });

  it('look at a bounded number, and say where to go on', async () => {
    await store.append(Array.from({ length: 2_001 }, () => deadLetterOf({ rule: 'a' })));
    await store.append([deadLetterOf({ rule: 'b' })]);
    const first = await list({ query: { rule: 'b' } });
    expect(first).toMatchObject({ items: [], next: '1000-1999' });
    expect(await list({ query: { rule: 'b' }, after: '1000-1999' })).toMatchObject({
      items: [{ rule: 'b' }],
    });
    const remove = (dryRun: boolean) => answer({ kind: 'remove-dead-letters', query: {}, dryRun });
    expect(await remove(true)).toEqual({ removed: 2_000, hasMore: true });
    expect(await remove(false)).toEqual({ removed: 2_000, hasMore: true });
    expect(await remove(false)).toEqual({ removed: 2, hasMore: false });
    expect(await list()).toEqual({ items: [] });
  });

  it('replay in the order asked for, and remove what is stored', async () => {
    await store.append(['1', '2', '3'].map((error) => deadLetterOf({ error })));
    onReplay = ({ error }, done) => {
      if (error === '3') done(new PublishError('BRIDGE_UNAVAILABLE', 'away'));
      else done();
      return 'begun';
    };
    expect(await replay('1000-1', '1000-2', '1000-0', '1000-0', '5-5', '*')).toEqual({
      results: [
        { id: '1000-1', outcome: 'replayed' },
        { id: '1000-2', outcome: 'failed', detail: 'away' },
        { id: '1000-0', outcome: 'replayed' },
        { id: '5-5', outcome: 'absent' },
        { id: '*', outcome: 'absent' },
      ],
    });
    expect(started.map(({ error }) => error)).toEqual(['2', '3', '1']);
    expect(await list()).toMatchObject({ items: [{ error: '3' }] });
  });

  it('say what waits when time is up, and remove it when it is stored', async () => {
    await store.append([deadLetterOf(), deadLetterOf({ rule: 'idle' })]);
    const waiting: PublishDone[] = [];
    onReplay = ({ rule }, done) => {
      if (rule === 'idle') return 'idle';
      waiting.push(done);
      return 'begun';
    };
    expect(await replay('1000-0', '1000-1')).toEqual({
      results: [
        { id: '1000-0', outcome: 'pending' },
        { id: '1000-1', outcome: 'idle' },
      ],
    });
    expect(await list()).toMatchObject({ items: [{}, {}] });
    for (const done of waiting) done();
    expect(await list()).toMatchObject({ items: [{ rule: 'idle' }] });
  });
});
