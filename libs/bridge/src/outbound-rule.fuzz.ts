import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { seededRandom, SpoolingBridge, spoolingRule } from '#libs/testkit';
import { SinkError, type Sink, type SinkRecord } from './sink.ts';

const SETTLE_MS = 120_000;

/** What a sink does with a record, whenever it is asked: take it, refuse it at the rule's target, or everywhere. */
type Nature = 'good' | 'bad' | 'hopeless';

interface Weather {
  /** How often of 100 a request fails for a while, and how many of these were carried out all the same. */
  readonly failing: number;
  readonly isAway: boolean;
  readonly isWithoutLetters: boolean;
}

type Step =
  | {
      readonly kind: 'offer';
      readonly client: number;
      readonly nature: Nature;
      readonly qos: 0 | 1;
    }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'weather'; readonly weather: Weather }
  | { readonly kind: 'lanes'; readonly count: number }
  | { readonly kind: 'change' | 'restart' };

const FAIR: Weather = { failing: 0, isAway: false, isWithoutLetters: false };

/** A sink that fails in every way there is, as its seed and the weather say. */
class FickleSink implements Sink {
  readonly stored: SinkRecord[] = [];
  weather = FAIR;
  laneCount = 2;
  /** A canary: it confirms what it does not store. */
  liesAbout: string | undefined;
  #client = 0;
  readonly #busy = new Set<string>();
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  async ping(): Promise<void> {
    if (this.weather.isAway) throw new SinkError('UNAVAILABLE', 'away');
  }

  async lanes(target: string): Promise<number> {
    await this.ping();
    if (target === 'dead' && this.weather.isWithoutLetters) {
      throw new SinkError('UNKNOWN_TARGET', 'no dead letters');
    }
    return this.laneCount;
  }

  async send(target: string, lane: number, records: readonly SinkRecord[]): Promise<number[]> {
    const name = `${target} ${String(lane)}`;
    if (this.#busy.has(name)) throw new Error('two requests of a lane at a time');
    this.#busy.add(name);
    const client = this.#client;
    await new Promise((resolve) => setTimeout(resolve, this.#random() * 20));
    if (this.#client !== client) throw new SinkError('UNAVAILABLE', 'closed');
    this.#busy.delete(name);
    return this.#answer(target, lane, records);
  }

  test(): never {
    throw new Error('nobody tests this sink');
  }

  renew(): void {}

  /** Ends what is under way; the next version of the rule has another client. */
  async close(): Promise<void> {
    this.#client += 1;
    this.#busy.clear();
  }

  async #answer(target: string, lane: number, records: readonly SinkRecord[]): Promise<number[]> {
    if (target === 'dead') await this.lanes(target);
    else await this.ping();
    if (records.length > 5) throw new SinkError('TOO_LARGE', 'more than five');
    const reason = { code: 'REJECTED', message: 'it is bad' } as const;
    const meant = records.filter((record) => isRefused(record, target));
    const refused = new Map(meant.map((record) => [record, reason]));
    // Some kinds say which records they refuse, others refuse the batch.
    if (refused.size > 0 && this.#random() < 0.5) throw new SinkError('REJECTED', 'one is bad');
    const isFailing = this.#random() * 100 < this.weather.failing;
    if (isFailing && this.#random() < 0.5) throw new SinkError('UNAVAILABLE', 'not carried out');
    this.stored.push(
      ...records.filter(
        (record) => !refused.has(record) && String(record.value) !== this.liesAbout,
      ),
    );
    if (isFailing && refused.size === 0) {
      if (this.#random() < 0.5) return [];
      throw new SinkError('UNAVAILABLE', 'the answer is lost');
    }
    if (refused.size > 0) throw new SinkError('REJECTED', 'some are bad', { refused });
    return [lane];
  }
}

function isRefused({ value }: SinkRecord, target: string): boolean {
  const text = String(value);
  return text.endsWith('hopeless') || (text.endsWith('bad') && target !== 'dead');
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      kind: fc.constant('offer' as const),
      client: fc.nat({ max: 3 }),
      nature: fc.oneof(
        { weight: 12, arbitrary: fc.constant('good' as const) },
        { weight: 2, arbitrary: fc.constant('bad' as const) },
        { weight: 1, arbitrary: fc.constant('hopeless' as const) },
      ),
      qos: fc.constantFrom(0 as const, 1 as const, 1 as const),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(0, 1, 7, 30, 120, 700, 3_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('weather' as const),
      weather: fc.record({
        failing: fc.constantFrom(0, 20, 70),
        isAway: fc.boolean(),
        isWithoutLetters: fc.boolean(),
      }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('lanes' as const),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('change', 'restart') }) },
);

/** Plays a story to its end in fair weather; @returns what is wrong. */
async function play(
  ack: 'kafka' | 'spool',
  seed: number,
  { steps, liesAbout }: { readonly steps: readonly Step[]; readonly liesAbout?: string },
): Promise<readonly string[]> {
  const bench = await SpoolingBridge.open(new FickleSink(seed));
  const { sink } = bench;
  sink.liesAbout = liesAbout;
  const rule = spoolingRule({ ack, deadLetterTopic: 'dead' });
  bench.apply(rule);
  let [offered, version] = [0, 0];
  for (const each of steps) {
    if (each.kind === 'offer') {
      const { client, nature, qos } = each;
      // Who publishes with QoS 0 is promised nothing.
      const promise = qos === 0 ? 'unpromised' : 'promised';
      const publisher = `c${String(client)}`;
      bench.offer(`${String(offered)} ${promise} ${nature}`, { publisher, qos });
      offered += 1;
    } else if (each.kind === 'pass') await bench.pass(each.ms);
    else if (each.kind === 'weather') sink.weather = each.weather;
    else if (each.kind === 'lanes') sink.laneCount = each.count;
    else {
      if (each.kind === 'restart') await bench.restart();
      version += 1;
      bench.apply({ ...rule, headers: { version: String(version) } });
    }
  }
  sink.weather = FAIR;
  await bench.pass(SETTLE_MS);
  const wrong = [...lost(bench, ack), ...disordered(sink.stored)];
  if (bench.buffered > 0) wrong.push(`${String(bench.buffered)} bytes are still in memory`);
  const { records } = bench.spool.open('r1');
  if (records > 0) wrong.push(`${String(records)} records are still in the spool`);
  await bench.close();
  return wrong;
}

/** What was acknowledged, of those that wait for an answer, and is nowhere; what was given up as a dead letter is counted. */
function lost(
  { answers, sink, counts }: SpoolingBridge<FickleSink>,
  ack: 'kafka' | 'spool',
): string[] {
  const present = new Set(sink.stored.map(({ value }) => String(value)));
  const missing = answers
    .filter((answer) => answer.includes(' promised ') && answer.endsWith(':ok'))
    .map((answer) => answer.slice(0, -':ok'.length))
    .filter((text) => !present.has(text));
  const given = counts['dropped/dead_letter'] ?? 0;
  const silent = missing.filter((text) => text.endsWith('good'));
  if (missing.length > silent.length + given) {
    return [`${String(missing.length)} are missing, ${String(given)} were given up`];
  }
  return silent.map((text) => `${text} was acknowledged with ack ${ack}, and is lost`);
}

/** Whether a record of a key came before an earlier one, at either target; repeats are allowed. */
function disordered(stored: readonly SinkRecord[]): string[] {
  const last = new Map<string, number>();
  const seen = new Set<string>();
  const wrong: string[] = [];
  for (const { target, key, value } of stored) {
    const place = `${target} ${String(key)}`;
    const text = String(value);
    if (seen.has(`${place} ${text}`)) continue;
    seen.add(`${place} ${text}`);
    const number = Number.parseInt(text, 10);
    if (number < (last.get(place) ?? -1)) wrong.push(`${text} overtook at ${place}`);
    last.set(place, Math.max(number, last.get(place) ?? -1));
  }
  return wrong;
}

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

it.each(['kafka', 'spool'] as const)(
  'loses nothing that it acknowledged, and keeps the order of each key, however the sink fails (ack: %s)',
  async (ack) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(step, { minLength: 20, maxLength: 150 }),
        async (seed, steps) => {
          expect(await play(ack, seed, { steps })).toEqual([]);
        },
      ),
      { numRuns: 40 },
    );
  },
  120_000,
);

it.each(['kafka', 'spool'] as const)('finds a sink that lies (ack: %s)', async (ack) => {
  const steps = Array.from({ length: 10 }, (_, client): Step => {
    return { kind: 'offer', client: client % 2, nature: 'good', qos: 1 };
  });
  expect(await play(ack, 1, { steps, liesAbout: '7 promised good' })).toEqual([
    `7 promised good was acknowledged with ack ${ack}, and is lost`,
  ]);
});
