import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PublishError, type PublishDone } from '#libs/broker-ports';
import { RecordPump } from './record-pump.ts';
import { SinkError } from './sink.ts';
import type { ConsumedRecord, RecordBatch } from './source.ts';

const AWAY = new PublishError('STORE_UNAVAILABLE', 'away');
const FORBIDDEN = new PublishError('NOT_AUTHORIZED', 'forbidden');

function records(count: number): ConsumedRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    offset: String(100 + index),
    key: null,
    value: Buffer.from(String(index)),
    timestamp: '0',
  }));
}

describe('RecordPump', () => {
  let injected: string[];
  let open: PublishDone[];
  let resolved: string[];
  let active: boolean;
  let beats: number;
  let beatFault: SinkError | undefined;

  beforeEach(() => {
    jest.useFakeTimers();
    injected = [];
    open = [];
    resolved = [];
    active = true;
    beats = 0;
    beatFault = undefined;
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  function pump(
    count: number,
    inject?: (text: string, done: PublishDone) => void,
    cautious = false,
  ): RecordPump {
    const batch: RecordBatch = {
      partition: 0,
      records: records(count),
      lag: 0,
      active: () => active,
      resolve: (offset, done) => resolved.push(`${offset}+${done}`),
      heartbeat: () => {
        beats += 1;
        return beatFault === undefined ? Promise.resolve() : Promise.reject(beatFault);
      },
    };
    return new RecordPump(batch, {
      map: ({ value }) =>
        String(value) === '3'
          ? undefined
          : { topic: String(value), payload: Buffer.alloc(0), qos: 1, retain: false },
      inject: ({ topic }, done) => {
        injected.push(topic);
        if (inject === undefined) open.push(done);
        else inject(topic, done);
      },
      delivered: () => undefined,
      refused: (_record, error) => (error === FORBIDDEN ? 'skip' : 'again'),
      cautious,
    });
  }

  it('resolves only up to the first record that is not done, and skips poison', async () => {
    const run = pump(6).run();
    expect(injected).toEqual(['0', '1', '2', '4', '5']);
    open[1]?.();
    open[2]?.();
    expect(resolved).toEqual([]);
    open[0]?.();
    expect(resolved).toEqual(['103+4']);
    open[4]?.();
    open[3]?.();
    await run;
    expect(resolved).toEqual(['103+4', '105+2']);
  });

  it('ends before a record that is to be offered again, after what is under way', async () => {
    const at = pump(400);
    const run = at.run();
    expect(injected).toHaveLength(255);
    open[0]?.();
    const underWay = injected.length;
    open[1]?.(AWAY);
    for (const done of open.slice(2)) done();
    expect(await run).toBe(true);
    expect(injected).toHaveLength(underWay);
    expect(resolved).toEqual(['100+1']);
    expect(at.resolved).toBe(1);
  });

  it('skips a record that is refused for good', async () => {
    const run = pump(3).run();
    open[0]?.();
    open[2]?.();
    open[1]?.(FORBIDDEN);
    expect(await run).toBe(false);
    expect(resolved).toEqual(['100+1', '102+2']);
  });

  it('offers a record that was refused before alone, until it is taken', async () => {
    const again = pump(5, undefined, true).run();
    expect(injected).toEqual(['0']);
    open[0]?.(AWAY);
    expect(await again).toBe(true);
    expect(injected).toEqual(['0']);

    const run = pump(5, undefined, true).run();
    open[1]?.();
    expect(injected).toEqual(['0', '0', '1', '2', '4']);
    for (const done of open.slice(2)) done();
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
    open[0]?.();
    expect(resolved).toEqual([]);
  });

  it('ends early when the batch is taken away, after what is under way', async () => {
    const run = pump(500).run();
    expect(injected).toHaveLength(255);
    active = false;
    for (const done of [...open]) done();
    await run;
    expect(injected).toHaveLength(255);
    expect(resolved.at(-1)).toBe('355+1');
  });

  it('yields to the event loop when the pipeline answers at once', async () => {
    const run = pump(1_000, (_topic, done) => done()).run();
    expect(injected.length).toBeLessThan(300);
    await jest.runAllTimersAsync();
    await run;
    expect(injected).toHaveLength(999);
    expect(resolved.at(-1)?.startsWith('1099+')).toBe(true);
  });
});
