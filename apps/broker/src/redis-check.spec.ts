import { describe, expect, it } from '@jest/globals';
import { RecordingLog } from '#libs/testkit';
import type { RedisFinding } from '#libs/redis-client';
import { checkRedis } from './redis-check.ts';

const WARNING: RedisFinding = { kind: 'warning', problem: 'it may be lost', fix: 'keep it' };
const FAULT: RedisFinding = { kind: 'fault', problem: 'it will be lost', fix: 'keep it' };
const OTHER: RedisFinding = { kind: 'fault', problem: 'it is too old', fix: 'renew it' };

describe('the check of Redis', () => {
  it('logs what is doubtful and goes on', async () => {
    const log = new RecordingLog();

    await checkRedis({ inspect: () => Promise.resolve([WARNING]), log, isStopping: () => false });

    expect(log.of('redis-doubtful')).toHaveLength(1);
  });

  it('refuses what is wrong, in one line each', async () => {
    const inspect = () => Promise.resolve([FAULT, WARNING, OTHER]);
    const check = checkRedis({ inspect, log: new RecordingLog(), isStopping: () => false });

    await expect(check).rejects.toThrow(
      'redis: it will be lost; keep it\nredis: it is too old; renew it',
    );
  });

  it('waits for a Redis that is away, and no longer than the process lives', async () => {
    let looks = 0;
    const log = new RecordingLog();
    const inspect = () => {
      looks += 1;
      return looks < 2 ? Promise.reject(new Error('away')) : Promise.resolve([WARNING]);
    };
    await checkRedis({ inspect, log, isStopping: () => false });
    expect(log.of('redis-doubtful')).toHaveLength(1);

    const away = () => Promise.reject(new Error('away'));
    await checkRedis({ inspect: away, log, isStopping: () => true });
    expect(log.lines).toHaveLength(1);
  });
});
