import { describe, expect, it } from '@jest/globals';
import { Lookup } from './lookup.ts';

describe('Lookup', () => {
  function lookup(entriesMax = 10) {
    const world = { nowMs: 0, asked: [] as string[], fails: false };
    const ask = async (key: string): Promise<string> => {
      world.asked.push(key);
      await Promise.resolve();
      if (world.fails) throw new Error(`no ${key}`);
      return `${key}@${world.nowMs}`;
    };
    return { world, answers: new Lookup({ ask, entriesMax, clock: () => world.nowMs }) };
  }

  it('asks one question at a time, however many want to know', async () => {
    const { world, answers } = lookup();
    expect(await Promise.all([answers.ask('a'), answers.ask('a')])).toEqual(['a@0', 'a@0']);
    expect(world.asked).toEqual(['a']);
    world.nowMs = 5;
    expect(answers.known('a')).toBe('a@0');
    expect(answers.ageMs('a')).toBe(5);
    expect(await answers.ask('a')).toBe('a@5');
  });

  it('pauses after a failure, longer each time, and keeps the last answer', async () => {
    const { world, answers } = lookup();
    await answers.ask('a');
    world.fails = true;
    await expect(answers.ask('a')).rejects.toThrow('no a');
    for (const pauseMs of [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      const asked = world.asked.length;
      world.nowMs += pauseMs - 1;
      await expect(answers.ask('a')).rejects.toThrow('no a');
      expect(world.asked).toHaveLength(asked);
      world.nowMs += 1;
      await expect(answers.ask('a')).rejects.toThrow('no a');
      expect(world.asked).toHaveLength(asked + 1);
    }
    expect(answers.known('a')).toBe('a@0');
    world.fails = false;
    world.nowMs += 10_000;
    await answers.ask('a');
    expect(answers.ageMs('a')).toBe(0);
  });

  it('forgets what was not asked for longest', async () => {
    const { answers } = lookup(2);
    for (const key of ['a', 'b', 'a', 'c']) await answers.ask(key);
    expect(['a', 'b', 'c'].map((key) => answers.known(key))).toEqual(['a@0', undefined, 'c@0']);
    expect(answers.ageMs('b')).toBe(Infinity);
  });
});
