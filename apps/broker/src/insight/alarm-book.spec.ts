import { describe, expect, it } from '@jest/globals';
import type { NodeEvent } from '#libs/broker-ports';
import { AlarmBook, type AlarmCondition } from './alarm-book.ts';

const DOWN: AlarmCondition = {
  ...{ name: 'SkeinBridgeDown', subject: 'main', severity: 'critical' },
  summary: 'refused',
};

function setUp() {
  const world = { nowMs: 1_000_000, conditions: [] as AlarmCondition[], ids: 0 };
  const told: NodeEvent[] = [];
  const book = new AlarmBook({
    conditions: () => world.conditions,
    events: { emit: (event) => void told.push(event) },
    newId: () => `id-${String((world.ids += 1))}`,
    nowMs: () => world.nowMs,
  });
  const live = (seconds: number) => {
    for (let second = 0; second < seconds; second += 1) {
      world.nowMs += 1_000;
      book.sweep();
    }
  };
  const alarms = () => {
    const answer = book.answer({ kind: 'alarms' });
    return 'alarms' in answer ? answer.alarms : [];
  };
  return { world, told, book, live, alarms };
}

describe('AlarmBook', () => {
  it('raises what has held for a while, clears what has gone, and tells of both', () => {
    const { world, told, live, alarms } = setUp();
    world.conditions = [DOWN];
    live(4);
    expect(alarms()).toEqual([]);
    live(4);
    expect(alarms()).toMatchObject([{ id: 'id-1', ...DOWN, acknowledgements: [] }]);
    expect(alarms()[0]?.sinceMs).toBeLessThanOrEqual(1_002_000);
    expect(alarms()[0]?.clearedAtMs).toBeUndefined();

    world.conditions = [];
    live(5);
    expect(alarms()[0]?.clearedAtMs).toBeUndefined();
    live(10);
    expect(alarms()).toMatchObject([{ id: 'id-1', clearedAtMs: expect.any(Number) }]);
    expect(told).toEqual([
      {
        type: 'alarm.raised',
        detail: {
          ...{ alarm_id: 'id-1', name: 'SkeinBridgeDown', subject: 'main' },
          ...{ severity: 'critical', summary: 'refused' },
        },
      },
      expect.objectContaining({ type: 'alarm.cleared' }),
    ]);
  });

  it('raises nothing for what comes and goes, and goes on with what comes back at once', () => {
    const { world, live, alarms } = setUp();
    for (let round = 0; round < 5; round += 1) {
      world.conditions = [DOWN];
      live(3);
      world.conditions = [];
      live(3);
    }
    expect(alarms()).toEqual([]);
    world.conditions = [DOWN];
    live(10);
    world.conditions = [];
    live(5);
    world.conditions = [{ ...DOWN, summary: 'timed out' }];
    live(5);
    expect(alarms()).toMatchObject([{ id: 'id-1', summary: 'timed out' }]);
    expect(alarms()).toHaveLength(1);
  });

  it('notes who has seen it, the latest twenty', () => {
    const { world, book, live, alarms } = setUp();
    world.conditions = [DOWN];
    live(10);
    for (let count = 1; count <= 25; count += 1) {
      book.answer({ kind: 'acknowledge-alarm', id: 'id-1', by: `key-${String(count)}` });
    }
    expect(alarms()[0]?.acknowledgements).toHaveLength(20);
    expect(alarms()[0]?.acknowledgements.at(-1)?.by).toBe('key-25');
    const none = book.answer({ kind: 'acknowledge-alarm', id: 'x', by: 'key' });
    expect(none).toEqual({ acknowledgement: undefined });
  });

  it('forgets what has gone on request, and nothing that holds', () => {
    const { world, book, live, alarms } = setUp();
    world.conditions = [DOWN];
    live(10);
    expect(book.answer({ kind: 'remove-alarm', id: 'id-1' })).toEqual({ kind: 'active' });
    world.conditions = [];
    live(15);
    book.answer({ kind: 'acknowledge-alarm', id: 'id-1', by: 'key' });
    expect(alarms()[0]?.acknowledgements).toHaveLength(1);
    expect(book.answer({ kind: 'remove-alarm', id: 'id-1' })).toEqual({ kind: 'removed' });
    expect(book.answer({ kind: 'remove-alarm', id: 'id-1' })).toEqual({ kind: 'absent' });
    expect(alarms()).toEqual([]);
  });

  it('keeps to its bounds', () => {
    const { world, live, alarms } = setUp();
    const many = (round: number) =>
      Array.from({ length: 300 }, (_, index) => ({
        ...DOWN,
        subject: `${String(round)}-${String(index)}`,
      }));
    for (let round = 0; round < 4; round += 1) {
      world.conditions = many(round);
      live(20);
      expect(alarms().filter((each) => each.clearedAtMs === undefined)).toHaveLength(200);
      world.conditions = [];
      live(20);
    }
    expect(alarms()).toHaveLength(500);
  });
});
