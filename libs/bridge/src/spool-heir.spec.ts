import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { SpoolError, type InheritedSpool, type Meter, type Spool } from '#libs/broker-ports';
import {
  MemorySpoolStore,
  openMemorySpool,
  RecordingLog,
  spoolingRule as rule,
} from '#libs/testkit';
import { RuleBridge } from './rule-bridge.ts';
import { SinkError, type Sink, type SinkRecord } from './sink.ts';
import { SpoolHeir } from './spool-heir.ts';
import { encodeRecord } from './spool-record.ts';

/** Long enough for some looks. */
const LOOKS_MS = 5_000;
/** Long enough for a look at records whose rules are not there. */
const LOOKS_AT_REST_MS = 61_000;

describe('SpoolHeir', () => {
  let own: Spool;
  let left: Spool;
  let leftStore: MemorySpoolStore;
  let offered: InheritedSpool[];
  let isHeld: boolean;
  let closed: number;
  let isAway: boolean;
  let stored: string[];
  let log: RecordingLog;
  let bridge: RuleBridge;
  let heir: SpoolHeir;

  beforeEach(async () => {
    jest.useFakeTimers();
    own = await openMemorySpool(1_000_000);
    leftStore = new MemorySpoolStore();
    left = await openMemorySpool(Infinity, leftStore);
    [isHeld, closed, isAway, stored] = [true, 0, false, []];
    log = new RecordingLog();
    const close = async (): Promise<void> => void (closed += 1);
    offered = [{ nodeId: 'dead', spool: left, isHeld: async () => isHeld, close }];
    bridge = openBridge();
    bridge.apply([rule()]);
    heir = new SpoolHeir({
      estate: { inherit: async () => offered.splice(0) },
      bridge,
      log,
    });
  });

  afterEach(async () => {
    const ended = Promise.all([heir.close(), bridge.close()]);
    await jest.advanceTimersByTimeAsync(LOOKS_MS);
    await ended;
    jest.useRealTimers();
  });

  function openBridge(): RuleBridge {
    const sink: Sink = {
      ping: async () => {
        if (isAway) throw new SinkError('UNAVAILABLE', 'away');
      },
      lanes: async () => 1,
      send: async (_target, lane, records: readonly SinkRecord[]) => {
        if (isAway) throw new SinkError('UNAVAILABLE', 'away');
        stored.push(...records.map(({ value }) => value.toString()));
        return [lane];
      },
      test: () => {
        throw new Error('nobody tests this sink');
      },
      renew: () => undefined,
      close: async () => undefined,
    };
    return new RuleBridge({
      connectors: [
        {
          ...{ id: 'main', kind: 'kafka', brokers: ['127.0.0.1:1'] },
          ...{ clientId: 'skein', compression: 'none' },
        },
      ],
      sinks: [{ kind: 'kafka', targetFault: () => undefined, open: () => sink }],
      sources: [],
      limits: {
        ...{ ackTimeoutMs: 1_000, lingerMs: 0, batchRecordsMax: 100, batchBytesMax: 100_000 },
        bufferBytesMax: 2_000_000,
      },
      spool: {
        spool: own,
        limits: { ageSecondsMax: 3_600, onFull: 'reject', replayRecordsPerSecond: 0 },
      },
      inject: (_message, done) => done(),
      messageLimits: { topicLevelsMax: 4, packetBytesMax: 1_000, retainedMessageBytesMax: 500 },
      clock: { nowMs: Date.now, monotonicMs: Date.now },
      log,
      meter: new Proxy({}, { get: () => () => undefined }) as Meter,
    });
  }

  const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

  /** What the dead node has left of a rule. */
  async function leave(id: string, values: readonly string[]): Promise<void> {
    const leftLog = left.open(id);
    let durable = 0;
    for (const value of values) {
      const bytes = encodeRecord({
        ...{ target: 'telemetry', key: Buffer.from('c1'), value: Buffer.from(value) },
        ...{ headers: {}, timestampMs: 0 },
      });
      leftLog.append(bytes, Date.now(), () => (durable += 1));
    }
    while (durable < values.length) await pass(1);
  }

  const numbers = (count: number, length = 4): string[] =>
    Array.from({ length: count }, (_, index) => String(index).padStart(length, '0'));

  it('sends what another node has left, in its order, and lets go of the empty spool', async () => {
    const values = numbers(3_000, 200);
    await leave('r1', values);
    heir.start();
    await pass(LOOKS_MS);
    expect(stored).toEqual(values);
    expect(left.rules()).toEqual([]);
    expect(closed).toBe(1);
    expect(log.of('bridge-spool-emptied')).toHaveLength(1);
  });

  it('passes over what the other node has sent', async () => {
    const values = numbers(3_000, 200);
    await leave('r1', values);
    // All but each eighth of the first 2,000.
    left.open('r1').mark({ from: 0, bits: new Uint8Array(250).fill(254) });
    heir.start();
    await pass(LOOKS_MS);
    expect(stored).toEqual(values.filter((_, index) => (index + 1) % 8 === 0 || index >= 1_999));
    expect(left.rules()).toEqual([]);
  });

  it('serves a rule that has another ack by now', async () => {
    bridge.apply([rule({ ack: 'kafka' })]);
    await leave('r1', ['old']);
    heir.start();
    await pass(LOOKS_MS);
    expect(stored).toEqual(['old']);
  });

  it('leaves half of the room to clients while the other side is away, and loses nothing', async () => {
    isAway = true;
    const values = numbers(1_500, 1_000);
    await leave('r1', values);
    heir.start();
    await pass(LOOKS_MS);
    expect(own.bytes).toBeGreaterThan(500_000);
    expect(own.bytes).toBeLessThan(800_000);
    isAway = false;
    await pass(4 * LOOKS_MS);
    expect(stored).toEqual(values);
  });

  it('keeps the records of a rule that is disabled until it works again', async () => {
    bridge.apply([rule({ enabled: false })], undefined, new Map());
    await leave('r1', ['old']);
    heir.start();
    await pass(LOOKS_MS);
    expect(left.open('r1').records).toBe(1);
    bridge.apply([rule()]);
    await pass(LOOKS_MS);
    expect(stored).toEqual(['old']);
  });

  it('keeps the records of a rule that it does not know, says so once, and sends them when it does', async () => {
    bridge.apply([], undefined, new Map());
    await leave('r1', ['old']);
    heir.start();
    await pass(3 * LOOKS_AT_REST_MS);
    expect(left.open('r1').records).toBe(1);
    expect(log.of('bridge-spool-unclaimed')).toEqual([
      {
        ...{ level: 'warn', event: 'bridge-spool-unclaimed' },
        fields: { rule: 'r1', node: 'dead', records: 1, bytes: expect.any(Number) },
      },
    ]);
    bridge.apply([rule()], undefined, new Map());
    await pass(LOOKS_MS);
    expect(stored).toEqual(['old']);
    expect(log.of('bridge-spool-removed')).toEqual([]);
  });

  it('lets those go that are too old', async () => {
    bridge.apply([], undefined, new Map());
    await leave('gone', ['1', '2']);
    heir.start();
    await pass(3_000_000);
    await leave('gone', ['3']);
    await pass(600_000 + LOOKS_AT_REST_MS);
    expect(left.open('gone').records).toBe(1);
    expect(log.of('bridge-spool-removed').map(({ fields }) => fields)).toEqual([
      { rule: 'gone', node: 'dead', records: 2 },
    ]);
    await pass(3_600_000);
    expect(left.rules()).toEqual([]);
  });

  it('lets those go whose rule was deleted after they came, and no others', async () => {
    await leave('gone', ['1', '2']);
    await pass(1_000);
    const removed = new Map([['gone', Date.now()]]);
    await pass(1_000);
    await leave('gone', ['3']);
    heir.start();
    await pass(LOOKS_AT_REST_MS);
    expect(left.open('gone').records).toBe(3);
    bridge.apply([], undefined, removed);
    await pass(LOOKS_AT_REST_MS);
    expect(left.open('gone').records).toBe(1);
  });

  it('ends when the node is back, which sends the rest itself', async () => {
    bridge.apply([]);
    await leave('r1', ['old']);
    heir.start();
    await pass(LOOKS_MS);
    isHeld = false;
    await pass(LOOKS_MS);
    expect(closed).toBe(1);
    expect(left.open('r1').records).toBe(1);
  });

  it('tries again when the spool cannot be read', async () => {
    await leave('r1', ['old']);
    const open = left.open.bind(left);
    const failing = jest.spyOn(left, 'open').mockImplementation((id) => ({
      ...open(id),
      read: () => Promise.reject(new SpoolError('FAILED', 'as the test wants it')),
    }));
    heir.start();
    await pass(LOOKS_MS);
    expect(log.of('bridge-spool-inherit-failed')).toHaveLength(1);
    failing.mockRestore();
    await pass(LOOKS_MS);
    expect(stored).toEqual(['old']);
  });

  it('passes over what is damaged, and says what is lost', async () => {
    await leave('r1', ['1', '2']);
    await leave('r1', ['3']);
    leftStore.damage('r1', 1);
    heir.start();
    await pass(LOOKS_MS);
    expect(stored).toEqual(['3']);
    expect(left.rules()).toEqual([]);
    expect(log.of('bridge-spool-damaged').map(({ fields }) => fields)).toMatchObject([
      { rule: 'r1', node: 'dead', records: 2, from: 1, upTo: 2 },
    ]);
  });
});
