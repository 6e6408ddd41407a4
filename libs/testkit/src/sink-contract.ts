import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { SinkError, waitAtMost, type Sink, type SinkRecord } from '#libs/bridge';
import type { BridgeTestStep } from '#libs/broker-ports';
import { until } from './until.ts';

/** A record as a receiver has it. */
export interface ReceivedRecord {
  /** Undefined when the kind does not pass keys on. */
  readonly key: string | undefined;
  readonly value: string;
  /** Those that the record was sent with, as text; what the kind adds may be there as well. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
}

/** A receiver that sinks of one kind lead to. */
export interface ReceiverUnderTest {
  /** Makes a target that nobody else uses; one that can have several lanes has so many. @returns its name. */
  makeTarget(lanes: number): Promise<string>;
  /** Gives a target more lanes. */
  grow?(target: string, lanes: number): Promise<void>;
  /** Makes a sink that leads to the receiver; the suite closes it. */
  open(): Sink;
  /** Makes a sink that leads to where nobody is; the suite closes it. */
  openAstray(): Sink;
  /** Resolves with what the receiver has of a target, in order of arrival, as soon as it is enough. */
  received(
    target: string,
    enough: (records: readonly ReceivedRecord[]) => boolean,
  ): Promise<readonly ReceivedRecord[]>;
  /** Ends the receiver without a farewell. */
  kill(): Promise<void>;
  /** Brings it back with all that it stored. */
  restart(): Promise<void>;
  /** Ends the receiver and removes what is left of it. */
  close(): Promise<void>;
}

/** What a kind of sink leads to. */
export interface SinkContractOptions {
  /** Starts a receiver for the whole suite. */
  readonly openReceiver: () => Promise<ReceiverUnderTest>;
  /** Whether the lanes of a target may become more: `grow` does that. */
  readonly lanesGrow?: boolean;
  /** A target that does not exist; absent when there can be none. */
  readonly missingTarget?: string;
  /** The size of a value, of random bytes, that the receiver refuses; absent when it takes every size. */
  readonly refusedBytes?: number;
}

const WAIT_MS = 30_000;
const OPEN_MS = 300_000;
const CASE_MS = 90_000;
/** How long a sink may take to close, whatever it is at. */
const CLOSE_MS = 5_000;
const BATCHES = 3;
const BATCH_RECORDS = 100;

type Current = () => ReceiverUnderTest;
/** Makes sinks that are closed when the test ends. */
type Open = (make?: 'astray') => Sink;

/** What every Sink must do, on its real receiver: registers the tests, to be called in a spec file. */
export function sinkContract(name: string, options: SinkContractOptions): void {
  describe(`${name} as a Sink`, () => {
    let receiver: ReceiverUnderTest | undefined;
    let opened: Sink[] = [];
    const current: Current = () => {
      if (receiver === undefined) throw new Error('the receiver has not started');
      return receiver;
    };
    const open: Open = (make) => {
      const sink = make === 'astray' ? current().openAstray() : current().open();
      opened.push(sink);
      return sink;
    };

    beforeAll(async () => {
      receiver = await options.openReceiver();
    }, OPEN_MS);
    afterEach(async () => {
      await Promise.all(opened.map((sink) => sink.close()));
      opened = [];
    });
    afterAll(() => receiver?.close(), OPEN_MS);

    deliveryCases(current, open);
    const { lanesGrow = false, missingTarget, refusedBytes } = options;
    if (lanesGrow) growthCase(current, open);
    if (missingTarget !== undefined) missingCase(current, open, missingTarget);
    if (refusedBytes !== undefined) sizeCase(current, open, refusedBytes);
    absenceCases(current, open);
  });
}

function recordOf(target: string, key: string, value: string | Buffer): SinkRecord {
  return {
    target,
    key: Buffer.from(key),
    value: Buffer.from(value),
    headers: { kind: 'test', bytes: Buffer.from('of text'), 'up.colour': ['red', 'blue'] },
    timestampMs: Date.now(),
  };
}

async function stepsOf(sink: Sink, target?: string): Promise<readonly BridgeTestStep[]> {
  const steps: BridgeTestStep[] = [];
  for await (const step of sink.test({ target, withinMs: WAIT_MS })) steps.push(step);
  return steps;
}

/** A batch of records of one lane: their values are `lane/number`. */
function batchOf(target: string, lane: number, from: number): SinkRecord[] {
  return Array.from({ length: BATCH_RECORDS }, (_, index) =>
    recordOf(target, `key-${lane}`, `${lane}/${from + index}`),
  );
}

const valuesOf = (records: readonly ReceivedRecord[], lane = 0): readonly string[] =>
  records.map(({ value }) => value).filter((value) => value.startsWith(`${lane}/`));

const expectedOf = (lane: number, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${lane}/${index}`);

/** The code of a refusal; `none` when there is none. @throws anything that is no SinkError. */
async function refusalOf(call: Promise<unknown>): Promise<SinkError['code'] | 'none'> {
  try {
    await call;
    return 'none';
  } catch (error) {
    if (error instanceof SinkError) return error.code;
    throw error;
  }
}

function deliveryCases(current: Current, open: Open): void {
  it('answers a ping and tells the lanes of a target', async () => {
    const sink = open();
    const target = await current().makeTarget(3);
    await sink.ping();
    const lanes = await sink.lanes(target);
    expect(lanes).toBeGreaterThanOrEqual(1);
    expect(await sink.lanes(target)).toBe(lanes);
  });

  it('tests its way step by step, without leaving a trace', async () => {
    const target = await current().makeTarget(1);
    const steps = await stepsOf(open(), target);
    expect(steps.filter(({ ok }) => !ok)).toEqual([]);
    expect(steps.map(({ step }) => step)).toEqual(['dns', 'tcp', 'auth', 'target']);
    expect(steps.every(({ ms, detail }) => ms >= 0 && detail !== '')).toBe(true);
    expect((await stepsOf(open())).at(-1)).toMatchObject({ step: 'auth', ok: true });
    expect((await stepsOf(open('astray'), target)).at(-1)).toMatchObject({
      step: 'tcp',
      ok: false,
    });
  });

  it(
    'stores what it confirms, whole and in order, also when it was renewed in between',
    async () => {
      const sink = open();
      const target = await current().makeTarget(1);
      const count = BATCHES * BATCH_RECORDS;
      for (let from = 0; from < count; from += BATCH_RECORDS) {
        expect(await sink.send(target, 0, batchOf(target, 0, from))).toContain(0);
        sink.renew(target, 0);
      }
      const records = await current().received(target, ({ length }) => length >= count);
      expect(valuesOf(records)).toEqual(expectedOf(0, count));
      const headers = { kind: ['test'], bytes: ['of text'], 'up.colour': ['red', 'blue'] };
      expect(records[0]?.headers).toMatchObject(headers);
      expect(['key-0', undefined]).toContain(records[0]?.key);
    },
    CASE_MS,
  );

  it(
    'takes the lanes of a target side by side, each in order',
    async () => {
      const sink = open();
      const target = await current().makeTarget(3);
      const lanes = Math.min(3, await sink.lanes(target));
      const count = BATCHES * BATCH_RECORDS;
      const sendAll = async (lane: number): Promise<void> => {
        for (let from = 0; from < count; from += BATCH_RECORDS) {
          expect(await sink.send(target, lane, batchOf(target, lane, from))).toContain(lane);
        }
      };
      await Promise.all(Array.from({ length: lanes }, (_, lane) => sendAll(lane)));
      const records = await current().received(target, ({ length }) => length >= lanes * count);
      for (let lane = 0; lane < lanes; lane += 1) {
        expect(valuesOf(records, lane)).toEqual(expectedOf(lane, count));
      }
    },
    CASE_MS,
  );
}

function growthCase(current: Current, open: Open): void {
  it(
    'soon sends over a lane that its target has got meanwhile',
    async () => {
      const sink = open();
      const target = await current().makeTarget(1);
      expect(await sink.send(target, 0, batchOf(target, 0, 0))).toContain(0);
      await current().grow?.(target, 2);
      await until(async () => (await sink.lanes(target)) === 2, WAIT_MS);
      await until(async () => {
        const confirmed = await sink.send(target, 1, batchOf(target, 1, 0));
        return confirmed.includes(1);
      }, WAIT_MS);
    },
    CASE_MS,
  );
}

function missingCase(current: Current, open: Open, missingTarget: string): void {
  it(
    'refuses a target that is missing, and serves others after it',
    async () => {
      const sink = open();
      const target = await current().makeTarget(1);
      const refusals = [
        await refusalOf(sink.lanes(missingTarget)),
        await refusalOf(sink.send(missingTarget, 0, batchOf(missingTarget, 0, 0))),
      ];
      expect(refusals).toContain('UNKNOWN_TARGET');
      expect(refusals).not.toContain('UNAVAILABLE');
      const steps = await stepsOf(open(), missingTarget);
      expect(steps.at(-1)).toMatchObject({ step: 'target', ok: false });
      await until(async () => {
        expect(await sink.send(target, 0, batchOf(target, 0, 0))).toContain(0);
      }, WAIT_MS);
    },
    CASE_MS,
  );
}

function sizeCase(current: Current, open: Open, refusedBytes: number): void {
  it(
    'refuses what is too large, and goes on',
    async () => {
      const sink = open();
      const target = await current().makeTarget(1);
      const large = recordOf(target, 'key-0', randomBytes(refusedBytes));
      expect(await refusalOf(sink.send(target, 0, [large]))).toBe('TOO_LARGE');
      await sink.send(target, 0, batchOf(target, 0, 0));
      const records = await current().received(target, ({ length }) => length >= BATCH_RECORDS);
      expect(records.map(({ value }) => value)).toEqual(expectedOf(0, BATCH_RECORDS));
    },
    CASE_MS,
  );
}

function absenceCases(current: Current, open: Open): void {
  it(
    'says so when nobody is there, and closes in a moment',
    async () => {
      const sink = open('astray');
      expect(await refusalOf(sink.ping())).toBe('UNAVAILABLE');
      expect(await refusalOf(sink.send('t', 0, batchOf('t', 0, 0)))).toBe('UNAVAILABLE');
      const underWay = refusalOf(sink.send('t', 0, batchOf('t', 0, 0)));
      const begunAt = performance.now();
      await waitAtMost(2 * CLOSE_MS, sink.close());
      expect(performance.now() - begunAt).toBeLessThan(CLOSE_MS);
      expect(await underWay).toBe('UNAVAILABLE');
    },
    CASE_MS,
  );

  it(
    'loses and reorders nothing when a batch is repeated until the receiver is back',
    async () => {
      const sink = open();
      const target = await current().makeTarget(1);
      let sent = 0;
      let repeats = 0;
      const send = async (): Promise<void> => {
        const batch = batchOf(target, 0, sent);
        await until(async () => {
          const refusal = await refusalOf(sink.send(target, 0, batch));
          if (refusal !== 'none') repeats += 1;
          return refusal === 'none';
        }, WAIT_MS);
        sent += BATCH_RECORDS;
      };
      await send();
      const underWay = send();
      await current().kill();
      const restarted = until(() => repeats > 0 || sent > BATCH_RECORDS, WAIT_MS).then(() =>
        current().restart(),
      );
      await Promise.all([underWay, restarted]);
      await send();
      const distinct = (records: readonly ReceivedRecord[]): readonly string[] => [
        ...new Set(valuesOf(records)),
      ];
      const records = await current().received(target, (all) => distinct(all).length >= sent);
      expect(distinct(records)).toEqual(expectedOf(0, sent));
    },
    CASE_MS,
  );
}
