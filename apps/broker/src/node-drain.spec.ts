import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { silentLog } from '#libs/testkit';
import { Shedding, type ShedConnection, type ShedPlan } from '#libs/broker-core';
import { NodeDrain, type NodeDrainParts } from './node-drain.ts';
import { Readiness } from './readiness.ts';

const START_MS = 1_000_000;

/** A client that has nothing in flight. */
class Guest implements ShedConnection {
  isConnected = true;
  readonly isQuiet = true;
  readonly transport = { listener: 'tcp' };
  reference: string | undefined;

  retire(): void {
    // It has nothing under way.
  }

  stay(): void {
    // It was not about to go.
  }

  sendAway(_code: number, { serverReference }: Pick<ShedPlan, 'serverReference'>): void {
    this.isConnected = false;
    this.reference = serverReference;
  }
}

let guests: Guest[];
let others: ('alive' | 'draining')[];
let turned: unknown[];
let readiness: Readiness;
let settings: {
  -readonly [Key in keyof NodeDrainParts['settings']]: NodeDrainParts['settings'][Key];
};
let drain: NodeDrain;

const left = (): number => guests.filter(({ isConnected }) => isConnected).length;
/** Lets so much time pass. */
const pass = (seconds: number): void => {
  jest.advanceTimersByTime(seconds * 1_000);
};

beforeEach(() => {
  jest.useFakeTimers({ now: START_MS });
  guests = Array.from({ length: 100 }, () => new Guest());
  others = ['alive'];
  turned = [];
  readiness = new Readiness({
    ...{ overload: { level: 0 }, bus: {}, stores: { ready: true } },
    ...{ graceMs: 0, monotonicMs: Date.now },
  });
  settings = {
    ...{ connectionsPerSecond: 10, durationSeconds: 60, deadlineSeconds: 0 },
    ...{ willHoldSeconds: 30, lameDuckSeconds: 10 },
  };
  const nodeOf = (nodeId: string, state: 'alive' | 'draining') => {
    return { nodeId, incarnation: 1, version: '1', startedAtMs: 0, state };
  };
  drain = new NodeDrain({
    settings,
    ...{ serverReference: undefined, nodeId: 'n1', readiness, log: silentLog, nowMs: Date.now },
    node: {
      shed: (plan) => new Shedding(plan, guests, Date.now()),
      turnAway: (...given: unknown[]) => void turned.push(given),
      admin: { status: () => ({ connections: left() }) } as never,
    },
    bus: {
      setState: () => Promise.resolve(),
      nodes: () => [
        nodeOf('n1', 'alive'),
        ...others.map((state, at) => nodeOf(`n${String(at + 2)}`, state)),
      ],
    },
    meter: { draining: () => undefined },
  });
});

afterEach(() => {
  jest.useRealTimers();
});

describe('a drain of a node', () => {
  it('sheds at the rate after the wait, and keeps clients away until it is stopped', () => {
    expect(drain.start({ kind: 'drain', waitSeconds: 5, serverReference: 'b:1' })).toBe('begun');
    expect([drain.view?.state, left(), drain.waitMs]).toEqual(['waiting', 100, 5_000]);
    expect([readiness.drain, turned]).toEqual(['drain', [[true, 'b:1']]]);
    pass(4.9);
    expect(left()).toBe(100);
    pass(5.1);
    expect(left()).toBeGreaterThan(45);
    expect(left()).toBeLessThan(55);
    pass(6);
    expect([drain.view?.state, left()]).toEqual(['drained', 0]);
    expect(guests.every(({ reference }) => reference === 'b:1')).toBe(true);
    expect(drain.stop()).toBe(true);
    expect([drain.view?.state, readiness.drain]).toEqual(['completed', undefined]);
    expect(turned.at(-1)).toEqual([false, undefined]);
  });

  it('leaves who is still there when it is stopped in the middle', () => {
    drain.start({ kind: 'drain' });
    pass(4);
    expect(drain.stop()).toBe(true);
    const stayed = left();
    expect(stayed).toBeGreaterThan(50);
    pass(20);
    expect([drain.view?.state, left()]).toEqual(['stopped', stayed]);
    expect(drain.start({ kind: 'drain' })).toBe('begun');
  });

  it('ends before its deadline, whatever the rate, and does not wait for most of it', () => {
    settings.deadlineSeconds = 8;
    drain.start({ kind: 'shutdown', waitSeconds: 10 });
    expect(drain.waitMs).toBe(4_000);
    pass(8);
    expect([drain.view?.state, left()]).toEqual(['drained', 0]);
  });

  it('has a rebalance that waits longer than the deadline of drains keep to its rate', () => {
    settings.deadlineSeconds = 5;
    drain.start({ kind: 'rebalance', waitSeconds: 10, keep: 50 });
    pass(11);
    expect(left()).toBeGreaterThan(80);
    pass(6);
    expect([drain.view?.state, left()]).toEqual(['completed', 50]);
  });

  it.each([
    ['there is no other', []],
    ['all others are being drained', ['draining', 'draining'] as const],
  ])('is not begun where %s, unless that is meant', (_, states) => {
    others = [...states];
    expect(drain.start({ kind: 'drain' })).toBe('last');
    expect([drain.isActive, readiness.drain]).toEqual([false, undefined]);
    expect(drain.start({ kind: 'drain', evenIfLast: true })).toBe('begun');
    expect(drain.start({ kind: 'drain', evenIfLast: true })).toBe('busy');
  });
});

describe('the end of the process', () => {
  it('goes on where a drain was, without waiting anew, and needs no other node', () => {
    others = [];
    drain.start({ kind: 'drain', connectionsPerSecond: 1, evenIfLast: true });
    pass(6);
    const before = left();
    expect(drain.start({ kind: 'shutdown', waitSeconds: 10 })).toBe('begun');
    expect([drain.waitMs, before]).toEqual([4_000, left()]);
    expect(drain.views.map(({ kind, state, detail }) => [kind, state, detail])).toEqual([
      ['shutdown', 'waiting', undefined],
      ['drain', 'stopped', 'the node ends'],
    ]);
    pass(15);
    expect([drain.view?.state, left()]).toEqual(['drained', 0]);
    expect(drain.stop()).toBe(false);
  });

  it('does not wait where clients have been kept away for long, by a drain or by maintenance', () => {
    readiness.maintenanceSinceMs = START_MS - 60_000;
    drain.start({ kind: 'shutdown', waitSeconds: 10 });
    expect([drain.waitMs, drain.view?.state]).toEqual([0, 'shedding']);
  });

  it('waits anew after a drain that was stopped', () => {
    drain.start({ kind: 'drain' });
    pass(60);
    drain.stop();
    drain.start({ kind: 'shutdown', waitSeconds: 10 });
    expect(drain.waitMs).toBe(10_000);
  });

  it('sends all away at once while drains are skipped, and not after that', () => {
    drain.skipUntilMs = START_MS + 60_000;
    expect(drain.skipUntilMs).toBe(START_MS + 60_000);
    pass(61);
    expect(drain.skipUntilMs).toBe(0);
    drain.start({ kind: 'shutdown', waitSeconds: 10 });
    expect(left()).toBe(100);

    drain.skipUntilMs = Date.now() + 60_000;
    drain.start({ kind: 'shutdown', waitSeconds: 10 });
    expect([drain.waitMs, drain.view?.state, left()]).toEqual([0, 'drained', 0]);
  });

  it('is asked for, no drain: skipping changes nothing for those that are', () => {
    drain.skipUntilMs = START_MS + 60_000;
    drain.start({ kind: 'drain', waitSeconds: 1 });
    expect([drain.view?.state, left()]).toEqual(['waiting', 100]);
  });
});
