import { describe, expect, it } from '@jest/globals';
import { REASON } from '#libs/mqtt-codec';
import { Shedding, type ShedConnection, type ShedPlan } from './shedding.ts';

/** As much of a connection as is needed to send its client away. */
class Guest implements ShedConnection {
  isConnected = true;
  isRetiring = false;
  readonly transport: { readonly listener: string };
  isQuiet: boolean;
  code: number | undefined;
  reference: string | undefined;

  constructor(isQuiet = true, listener = 'tcp') {
    this.isQuiet = isQuiet;
    this.transport = { listener };
  }

  retire(): void {
    this.isRetiring = true;
  }

  stay(): void {
    this.isRetiring = false;
  }

  sendAway(code: number, { serverReference }: Pick<ShedPlan, 'serverReference'>): void {
    this.isConnected = false;
    this.code = code;
    this.reference = serverReference;
  }
}

const PLAN: ShedPlan = {
  ...{ connectionsPerSecond: 100, keep: 0, serverReference: undefined },
  ...{ untilMs: Infinity, willHoldSeconds: 0, reason: 'drain' },
};

function shed(guests: readonly Guest[], plan: Partial<ShedPlan> = {}): Shedding {
  return new Shedding({ ...PLAN, ...plan }, guests, 0);
}

const guests = (count: number, isQuiet = true): Guest[] =>
  Array.from({ length: count }, () => new Guest(isQuiet));
const gone = (all: readonly Guest[]): number =>
  all.filter(({ isConnected }) => !isConnected).length;

describe('shedding', () => {
  it('sends clients away at the rate, with a short burst', () => {
    const all = guests(500);
    const shedding = shed(all);
    shedding.step(0);
    expect(gone(all)).toBe(11);
    for (let now = 50; now <= 1_000; now += 50) shedding.step(now);
    expect(gone(all)).toBe(111);
    expect(shedding.progress).toEqual({ total: 500, gone: 111, remaining: 389 });
    for (let now = 1_050; now <= 5_000; now += 50) shedding.step(now);
    expect([gone(all), shedding.isDone]).toEqual([500, true]);
  });

  it('takes idle clients first, and waits two seconds for the handshakes of the others', () => {
    const busy = guests(3, false);
    const idle = guests(3);
    const all = [...busy, ...idle, ...guests(0)];
    const shedding = shed(all, { connectionsPerSecond: 20 });
    shedding.step(0);
    expect([gone(idle), gone(busy)]).toEqual([3, 0]);
    shedding.step(500);
    expect([gone(busy), busy.every(({ isRetiring }) => isRetiring)]).toEqual([0, true]);
    const [first] = busy;
    if (first) first.isQuiet = true;
    shedding.step(1_000);
    expect([gone(busy), shedding.isDone]).toEqual([1, false]);
    shedding.step(2_499);
    expect(gone(busy)).toBe(1);
    shedding.step(2_500);
    expect([gone(busy), shedding.isDone]).toEqual([3, true]);
  });

  it('keeps as many as are to stay, and those of other listeners', () => {
    const others = [new Guest(true, 'ws')];
    const all = [...guests(30), ...others];
    const shedding = shed(all, { keep: 10, listener: 'tcp' });
    for (let now = 0; now <= 1_000; now += 50) shedding.step(now);
    expect([gone(all), gone(others), shedding.isDone]).toEqual([20, 0, true]);
  });

  it('counts those who leave by themselves', () => {
    const all = guests(20);
    const shedding = shed(all, { keep: 10, connectionsPerSecond: 10 });
    for (const guest of all.slice(10)) guest.isConnected = false;
    for (let now = 0; now <= 2_000; now += 50) shedding.step(now);
    expect(gone(all)).toBe(10);
    expect(shedding.progress).toEqual({ total: 10, gone: 10, remaining: 0 });
  });

  it('is faster where a deadline wants it, and all at once when hurried', () => {
    const all = guests(1_000);
    const shedding = shed(all, { connectionsPerSecond: 10, untilMs: 12_500 });
    for (let now = 0; now <= 5_000; now += 50) shedding.step(now);
    expect(gone(all)).toBe(500);
    shedding.hurry();
    shedding.step(5_050);
    expect([gone(all), shedding.isDone]).toEqual([1_000, true]);
  });

  it('lets those stay who were about to go', () => {
    const all = guests(5, false);
    const shedding = shed(all);
    shedding.step(0);
    shedding.release();
    expect([gone(all), shedding.isDone, all.some(({ isRetiring }) => isRetiring)]).toEqual([
      0,
      true,
      false,
    ]);
  });

  it('names the other server where there is one', () => {
    const [here, there] = [new Guest(), new Guest()];
    shed([here]).step(0);
    shed([there], { serverReference: 'b:1883' }).step(0);
    expect([here.code, here.reference]).toEqual([REASON.serverShuttingDown, undefined]);
    expect([there.code, there.reference]).toEqual([REASON.useAnotherServer, 'b:1883']);
  });
});
