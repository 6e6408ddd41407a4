import { describe, expect, it } from '@jest/globals';
import {
  JOBS_ENDED_MAX,
  JOBS_OPEN_MAX,
  type ApiState,
  type ClaimedJob,
  type Job,
  type JobDraft,
} from '#libs/broker-ports';
import type { StoreUnderTest } from './store-under-test.ts';
import { until } from './until.ts';

const HOUR_MS = 3_600_000;
const DEADLINE_MS = 20_000;
const SEEKER = { replica: 'one', kinds: ['purge'], leaseMs: HOUR_MS };

function draftOf(id: string): JobDraft {
  return { id, kind: 'purge', actor: 'key-1', input: { filter: 'é 😀', list: [] } };
}

async function made(state: ApiState, id: string): Promise<Job> {
  const job = await state.jobs.create(draftOf(id));
  if (job === 'full') throw new Error('full');
  return job;
}

async function claimed(state: ApiState, leaseMs = HOUR_MS): Promise<ClaimedJob> {
  const job = await state.jobs.claim({ ...SEEKER, leaseMs });
  if (job === undefined) throw new Error('nothing to do');
  return job;
}

/** What jobs of every ApiState must do. @internal */
export function jobCases(current: () => StoreUnderTest<ApiState>): void {
  const replicas = async () => {
    const { store, peer } = current();
    return { store, other: peer === undefined ? store : await peer() };
  };

  describe('jobs', () => {
    it('are carried out by one replica, with what they were made with', async () => {
      const { store, other } = await replicas();
      const job = await made(store, 'j1');
      expect(job).toMatchObject({ state: 'queued', attempts: 0, progress: { done: 0 } });
      expect(await other.jobs.claim({ ...SEEKER, kinds: ['backup'] })).toBeUndefined();
      const work = await claimed(other);
      expect(work).toMatchObject({ input: draftOf('j1').input, job: { id: 'j1', attempts: 1 } });
      expect(await store.jobs.claim(SEEKER)).toBeUndefined();
      const progress = { done: 3, total: 9 };
      const update = { progress, checkpoint: { at: 'c' }, leaseMs: HOUR_MS };
      expect(await other.jobs.update(work, update)).toEqual({
        kind: 'held',
        isCancelRequested: false,
      });
      const running = { state: 'running', progress, checkpoint: { at: 'c' } };
      expect(await store.jobs.get('j1')).toMatchObject(running);
      const outcome = { state: 'succeeded', result: { removed: 9 } } as const;
      expect(await other.jobs.finish(work, outcome)).toBe(true);
      const ended = await store.jobs.get('j1');
      expect(ended).toMatchObject({ ...outcome, endedAtMs: expect.any(Number) });
      expect(ended?.worker).toBeUndefined();
      expect(ended).not.toHaveProperty('checkpoint');
      const { result: _, ...listed } = ended ?? { result: undefined };
      expect(await store.jobs.list()).toEqual([listed]);
      expect(await other.jobs.finish(work, outcome)).toBe(false);
      expect(await other.jobs.update(work, update)).toEqual({ kind: 'lost' });
      expect(await store.jobs.get('j2')).toBeUndefined();
    });

    it('go to exactly one of two that look for work at once, the oldest first', async () => {
      const { store, other } = await replicas();
      await made(store, 'j1');
      const both = await Promise.all([store.jobs.claim(SEEKER), other.jobs.claim(SEEKER)]);
      expect(both.filter((work) => work !== undefined)).toHaveLength(1);
      await made(store, 'j2');
      await made(store, 'j3');
      expect((await claimed(store)).job.id).toBe('j2');
    });

    it('go on with another replica when the first is silent, from its checkpoint', async () => {
      const { store, other } = await replicas();
      await made(store, 'j1');
      const first = await claimed(store);
      await store.jobs.update(first, { checkpoint: 7, leaseMs: 1 });
      let second: ClaimedJob | undefined;
      await until(async () => {
        second = await other.jobs.claim(SEEKER);
        expect(second).toMatchObject({ job: { id: 'j1', checkpoint: 7, attempts: 2 } });
      }, DEADLINE_MS);
      expect(second?.input).toEqual(draftOf('j1').input);
      expect(await store.jobs.update(first, { leaseMs: HOUR_MS })).toEqual({ kind: 'lost' });
      expect(await store.jobs.finish(first, { state: 'failed', problem: {} })).toBe(false);
    });

    it('are cancelled at once while they wait, and by their worker when they run', async () => {
      const { store, other } = await replicas();
      await made(store, 'j1');
      expect(await other.jobs.cancel('j1')).toBe('cancelled');
      expect(await store.jobs.get('j1')).toMatchObject({ state: 'cancelled' });
      expect(await store.jobs.claim(SEEKER)).toBeUndefined();
      expect(await other.jobs.cancel('j1')).toBe('ended');
      expect(await other.jobs.cancel('nobody')).toBe('absent');
      await made(store, 'j2');
      const work = await claimed(store);
      expect(await other.jobs.cancel('j2')).toBe('requested');
      expect(await store.jobs.update(work, { leaseMs: HOUR_MS })).toEqual({
        kind: 'held',
        isCancelRequested: true,
      });
      expect(await store.jobs.finish(work, { state: 'cancelled', result: { removed: 1 } })).toBe(
        true,
      );
      expect(await other.jobs.get('j2')).toMatchObject({ state: 'cancelled' });
    });

    it('are cancelled at once when their worker has gone', async () => {
      const { store, other } = await replicas();
      await made(store, 'j1');
      const work = await claimed(store);
      await store.jobs.update(work, { leaseMs: 0 });
      expect(await other.jobs.cancel('j1')).toBe('cancelled');
      expect(await store.jobs.finish(work, { state: 'succeeded', result: 1 })).toBe(false);
      expect(await store.jobs.get('j1')).not.toHaveProperty('result');
    });

    it('wait in a bounded number, and as many that have ended are kept', async () => {
      const { store } = current();
      for (let index = 0; index < JOBS_OPEN_MAX; index += 1) await made(store, `open${index}`);
      expect(await store.jobs.create(draftOf('more'))).toBe('full');
      for (const { id } of await store.jobs.list()) await store.jobs.cancel(id);
      for (let index = 0; index < JOBS_ENDED_MAX; index += 1) {
        await made(store, `next${index}`);
        await store.jobs.cancel(`next${index}`);
      }
      const ids = (await store.jobs.list()).map(({ id }) => id);
      expect(ids).toHaveLength(JOBS_ENDED_MAX);
      expect(ids).toContain(`next${JOBS_ENDED_MAX - 1}`);
      expect(ids).not.toContain('open0');
    });

    it('are found by a new instance over the same data', async () => {
      const { store, reopen } = current();
      const job = await made(store, 'j1');
      const later = reopen === undefined ? store : await reopen();
      expect(await later.jobs.get('j1')).toEqual(job);
      expect((await claimed(later)).input).toEqual(draftOf('j1').input);
    });
  });
}
