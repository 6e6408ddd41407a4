import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { RecordPump, type RecordOutcome } from './record-pump.ts';
import { SinkError } from './sink.ts';
import type { ConsumedRecord, RecordBatch } from './source.ts';

type Settle = (outcome: RecordOutcome) => void;

/** Records `0`, `1` and so on, whose keys are the letters given, in turn. */
function records(count: number, keys: string): ConsumedRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    offset: String(100 + index),
    key: keys === '' ? null : Buffer.from(keys[index % keys.length] ?? ''),
    value: Buffer.from(String(index)),
    timestamp: '0',
  }));
}

describe('RecordPump', () => {
  let injected: string[];
  let open: Settle[];
  let resolved: string[];
  let active: boolean;
  let ready: boolean;
  let ahead: Set<string>;
  let beats: number;
  let beatFault: SinkError | undefined;

  beforeEach(() => {
    jest.useFakeTimers();
    injected = [];
    open = [];
    resolved = [];
    active = true;
    ready = true;
    ahead = new Set();
    beats = 0;
    beatFault = undefined;
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  interface Given {
    readonly keys?: string;
    readonly cautious?: boolean;
    readonly carry?: (text: string, settled: Settle) => void;
  }

  function pump(count: number, { keys = '', cautious = false, carry }: Given = {}): RecordPump {
    const batch: RecordBatch = {
      partition: 0,
      records: records(count, keys),
      lag: 0,
      active: () => active,
      resolve: (offset, done) => resolved.push(`${offset}+${done}`),
      heartbeat: () => {
        beats += 1;
        return beatFault === undefined ? Promise.resolve() : Promise.reject(beatFault);
      },
    };
    return new RecordPump(batch, {
      carry: ({ value }, settled) => {
        const text = String(value);
        if (text === '3') return settled('skipped');
        injected.push(text);
        if (carry === undefined) open.push(settled);
        else carry(text, settled);
      },
      ready: () => ready,
      ahead,
      cautious,
    });
  }

  it('resolves only up to the first record that is not done, and skips poison', async () => {
    const run = pump(6).run();
    expect(injected).toEqual(['0', '1', '2', '4', '5']);
    open[1]?.('taken');
    open[2]?.('taken');
    expect(resolved).toEqual([]);
    open[0]?.('taken');
    expect(resolved).toEqual(['103+4']);
    open[4]?.('taken');
    open[3]?.('taken');
    await run;
    expect(resolved).toEqual(['103+4', '105+2']);
  });

  it('ends before a record that is to be offered again, after what is under way', async () => {
    const at = pump(400);
    const run = at.run();
    expect(injected).toHaveLength(255);
    open[0]?.('taken');
    const underWay = injected.length;
    open[1]?.('again');
    for (const done of open.slice(2)) done('taken');
    expect(await run).toBe(true);
    expect(injected).toHaveLength(underWay);
    expect(resolved).toEqual(['100+1']);
    expect(at.resolved).toBe(1);
  });

  it('skips a record that is refused for good', async () => {
    const run = pump(3).run();
    open[0]?.('taken');
    open[2]?.('taken');
    open[1]?.('skipped');
    expect(await run).toBe(false);
    expect(resolved).toEqual(['100+1', '102+2']);
  });

  it('offers a record that was refused before alone, until it is taken', async () => {
    const again = pump(5, { cautious: true }).run();
    expect(injected).toEqual(['0']);
    open[0]?.('again');
    expect(await again).toBe(true);
    expect(injected).toEqual(['0']);

    const run = pump(5, { cautious: true }).run();
    open[1]?.('taken');
    expect(injected).toEqual(['0', '0', '1', '2', '4']);
    for (const done of open.slice(2)) done('taken');
    expect(await run).toBe(false);
  });

  it('lets other keys go on when one waits, and offers them no second time', async () => {
    const run = pump(12, { keys: 'abc' }).run();
    // 0 a, 1 b, 2 c, 3 skipped, 4 b, 5 c, 6 a, 7 b, 8 c, 9 a, 10 b, 11 c
    open[0]?.('taken');
    open[1]?.('again');
    for (const done of open.slice(2)) done('taken');
    expect(await run).toBe(true);
    expect(resolved).toEqual(['100+1']);
    expect([...ahead]).toEqual(['102', '103', '105', '106', '108', '109', '111']);

    injected = [];
    open = [];
    const again = pump(12, { keys: 'abc', cautious: true }).run();
    for (let at = 0; at < open.length; at += 1) open[at]?.('taken');
    expect(await again).toBe(false);
    // Of the key that waited all from the refused one on, in their order; 0 only because this batch begins with it again.
    expect(injected).toEqual(['0', '1', '4', '7', '10']);
    expect(resolved.at(-1)?.startsWith('111+')).toBe(true);
    expect(ahead.size).toBe(0);
  });

  it('offers nothing more of a key that waits', async () => {
    const run = pump(600, { keys: 'ab' }).run();
    expect(injected).toHaveLength(255);
    open[1]?.('again');
    for (let at = 0; at < open.length; at += 1) if (at !== 1) open[at]?.('taken');
    expect(await run).toBe(true);
    const odd = injected.filter((text) => Number(text) % 2 === 1);
    expect(odd.every((text) => Number(text) < 257)).toBe(true);
    expect(injected.at(-1)).toBe('598');
    expect(ahead.has('699')).toBe(false);
    expect(ahead.has('698')).toBe(true);
  });

  it('stops when too many keys wait, or one record says so', async () => {
    const all = pump(400, { keys: 'abcdefghijklmno', carry: (_text, settled) => settled('again') });
    expect(await all.run()).toBe(true);
    expect(injected).toHaveLength(9);

    injected = [];
    const one = pump(400, { keys: 'ab', carry: (_text, settled) => settled('stop') });
    expect(await one.run()).toBe(true);
    expect(injected).toEqual(['0']);
    expect(ahead).toEqual(new Set(['103']));
  });

  it('waits until it may begin, alive to the group', async () => {
    ready = false;
    const run = pump(2).run();
    await jest.advanceTimersByTimeAsync(1_600);
    expect(injected).toEqual([]);
    expect(beats).toBe(3);
    ready = true;
    await jest.advanceTimersByTimeAsync(500);
    expect(injected).toEqual(['0', '1']);
    for (const done of open) done('taken');
    expect(await run).toBe(false);
  });

  it('keeps the heartbeat going while it waits, and stops when the group says so', async () => {
    const run = pump(2).run();
    const ended = run.catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(1_600);
    expect(beats).toBe(3);
    beatFault = new SinkError('UNAVAILABLE', 'rebalancing');
    await jest.advanceTimersByTimeAsync(500);
    expect(await ended).toBe(beatFault);
    open[0]?.('taken');
    expect(resolved).toEqual([]);
  });

  it.each([
    ['at once', '0', ''],
    ['a turn later', '256', 'taken'],
    ['when an answer lets it go on', '256', undefined],
  ] as const)('ends with what carrying a record throws: %s', async (_when, bad, outcome) => {
    const bug = new Error('bug');
    const ended = pump(400, {
      carry: (text, settled) => {
        if (text === bad) throw bug;
        if (outcome === 'taken') settled(outcome);
        else open.push(settled);
      },
    })
      .run()
      .catch((error: unknown) => error);
    if (outcome === undefined) for (const settled of [...open]) settled('taken');
    await jest.advanceTimersByTimeAsync(0);
    expect(await ended).toBe(bug);
    // Nothing of the batch goes on: no offer, no offset, no heartbeat.
    const seen = [injected.length, resolved.length];
    for (const settled of open.splice(0)) settled('taken');
    await jest.advanceTimersByTimeAsync(5_000);
    expect([injected.length, resolved.length]).toEqual(seen);
    expect(beats).toBe(0);
    expect(injected.at(-1)).toBe(bad);
  });

  it('ends early when the batch is taken away, after what is under way', async () => {
    const run = pump(500).run();
    expect(injected).toHaveLength(255);
    active = false;
    for (const done of [...open]) done('taken');
    await run;
    expect(injected).toHaveLength(255);
    expect(resolved.at(-1)).toBe('355+1');
  });

  it('yields to the event loop when the pipeline answers at once', async () => {
    const run = pump(1_000, { carry: (_text, settled) => settled('taken') }).run();
    expect(injected.length).toBeLessThan(300);
    await jest.runAllTimersAsync();
    await run;
    expect(injected).toHaveLength(999);
    expect(resolved.at(-1)?.startsWith('1099+')).toBe(true);
  });
});
