import { beforeEach, describe, expect, it } from '@jest/globals';
import { Readiness } from './readiness.ts';

const GRACE_MS = 15_000;

let nowMs: number;
let overload: { level: number };
let bus: { ready?: boolean };
let stores: { ready: boolean };
let full: string[];
let readiness: Readiness;

beforeEach(() => {
  nowMs = 5_000;
  overload = { level: 0 };
  bus = { ready: true };
  stores = { ready: true };
  full = [];
  const room = { full: () => full };
  readiness = new Readiness({
    overload,
    room,
    bus,
    stores,
    graceMs: GRACE_MS,
    monotonicMs: () => nowMs,
  });
  readiness.phase = 'serving';
});

describe('Readiness', () => {
  it('has nothing against a node that serves', () => {
    expect(readiness.checks()).toEqual({
      node: 'ok',
      overload: 'ok',
      connections: 'ok',
      redis: 'ok',
    });
    expect(readiness.obstacles).toEqual([]);
  });

  it.each([
    ['node: starting', () => (readiness.phase = 'starting')],
    ['node: draining', () => (readiness.phase = 'draining')],
    ['overload: level 2', () => (overload.level = 2)],
    [
      'connections: full, tcp: 95 of 100 connections',
      () => full.push('tcp: 95 of 100 connections'),
    ],
    ['drain: api', () => (readiness.drain = 'api')],
    ['maintenance: on', () => (readiness.maintenanceSinceMs = 1)],
  ])('keeps clients away: %s', (obstacle, happens) => {
    happens();

    expect(readiness.obstacles).toEqual([obstacle]);
  });

  it.each([
    ['the bus', () => (bus.ready = false), () => (bus.ready = true)],
    ['the stores', () => (stores.ready = false), () => (stores.ready = true)],
  ])('bears %s without Redis for a while, and again each time', (_, goes, comes) => {
    for (let times = 0; times < 2; times += 1) {
      goes();
      expect(readiness.checks()).toMatchObject({ redis: 'ok, away for a moment' });
      nowMs += GRACE_MS - 1;
      expect(readiness.obstacles).toEqual([]);
      nowMs += 1;
      expect(readiness.obstacles).toEqual(['redis: unavailable']);
      comes();
      expect(readiness.obstacles).toEqual([]);
    }
  });

  it('asks for no Redis where there is none', () => {
    delete bus.ready;
    stores.ready = false;

    expect(readiness.checks()).toEqual({ node: 'ok', overload: 'ok', connections: 'ok' });
  });
});
