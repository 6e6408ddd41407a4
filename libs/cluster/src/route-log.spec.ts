import { describe, expect, it } from '@jest/globals';
import { RouteLog } from './route-log.ts';

const node = { nodeId: 'n1', incarnation: 7 };

describe('RouteLog', () => {
  it('applies changes that follow a snapshot, in order and once', () => {
    const log = new RouteLog();
    log.restart(node, 4);
    expect([3, 4, 5, 5, 6].map((sequence) => log.handle(node, sequence))).toEqual([
      'repeat',
      'repeat',
      'apply',
      'repeat',
      'apply',
    ]);
    expect(log.applied(node)).toBe(6);
  });

  it('has a gap when a change is missing, and none after the snapshot', () => {
    const log = new RouteLog();
    log.restart(node, 1);
    expect(log.handle(node, 3)).toBe('gap');
    expect(log.applied(node)).toBe(1);
    log.restart(node, 3);
    expect(log.handle(node, 3)).toBe('repeat');
  });

  it('has a gap for a node without a snapshot, and for another incarnation', () => {
    const log = new RouteLog();
    expect(log.handle(node, 1)).toBe('gap');
    log.restart(node, 0);
    expect(log.handle({ ...node, incarnation: 8 }, 1)).toBe('gap');
    log.drop(node);
    expect(log.handle(node, 1)).toBe('gap');
  });

  it('is stuck when it stays behind between two comparisons, not while it moves', () => {
    const log = new RouteLog();
    log.restart(node, 1);
    expect(log.isStuck(node, 3)).toBe(false);
    log.handle(node, 2);
    expect(log.isStuck(node, 3)).toBe(false);
    expect(log.isStuck(node, 3)).toBe(true);
    log.restart(node, 3);
    expect(log.isStuck(node, 3)).toBe(false);
  });

  it('is stuck when the store has lost what was applied', () => {
    const log = new RouteLog();
    log.restart(node, 9);
    expect([log.isStuck(node, 2), log.isStuck(node, 2)]).toEqual([false, true]);
  });
});
