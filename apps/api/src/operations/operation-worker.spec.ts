import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { StoreUnavailableError, type ApiState, type Job, type JobStore } from '#libs/broker-ports';
import { openLocalApiState } from '#libs/store-local';
import { silentLog } from '#libs/testkit';
import { ProblemError } from '../http/problem-error.ts';
import type { OperationRun } from './operation-kind.ts';
import {
  ATTEMPTS_MAX,
  LEASE_MS,
  LOOK_INTERVAL_MS,
  OPERATIONS_AT_ONCE,
  OperationWorker,
  type DoJob,
} from './operation-worker.ts';

let state: ApiState;
let workers: OperationWorker[];

beforeEach(async () => {
  jest.useFakeTimers();
  state = await openLocalApiState({ clock: Date.now });
  workers = [];
});

afterEach(async () => {
  const stopped = Promise.all(workers.map((worker) => worker.stop()));
  await jest.advanceTimersByTimeAsync(10_000);
  await stopped;
  jest.useRealTimers();
});

function worker(work: DoJob, jobs: JobStore = state.jobs): OperationWorker {
  const kinds = new Map([['copy', work]]);
  const replica = `r${workers.length}`;
  const made = new OperationWorker({ jobs, kinds, replica, log: silentLog });
  workers.push(made);
  made.start();
  return made;
}

async function ask(id = 'j', input: unknown = {}): Promise<void> {
  await state.jobs.create({ id, kind: 'copy', actor: 'key:k', input });
}

async function job(id = 'j'): Promise<Job | undefined> {
  await jest.advanceTimersByTimeAsync(0);
  return state.jobs.get(id);
}

/** Works until it is told to end. */
const endless: DoJob = (_, run) =>
  new Promise((_resolve, reject) => {
    run.signal.addEventListener('abort', () => reject(run.signal.reason as Error));
  });

it('does what is asked, and keeps what it came to', async () => {
  await ask('j', { rows: 3 });
  worker(async ({ input }) => ({ copied: input }));

  expect(await job()).toMatchObject({
    state: 'succeeded',
    attempts: 1,
    result: { copied: { rows: 3 } },
  });
});

it('does no more than so many at a time, and the others afterwards', async () => {
  const ends: (() => void)[] = [];
  for (let index = 0; index < OPERATIONS_AT_ONCE + 1; index += 1) await ask(`j${index}`);
  worker(() => new Promise((resolve) => ends.push(() => resolve({}))));
  await jest.advanceTimersByTimeAsync(0);
  expect(ends).toHaveLength(OPERATIONS_AT_ONCE);

  ends[0]?.();
  await jest.advanceTimersByTimeAsync(0);
  expect(ends).toHaveLength(OPERATIONS_AT_ONCE + 1);
});

it('shows how far it is, and holds it for as long as it takes', async () => {
  await ask();
  let run: OperationRun | undefined;
  worker((claimed, own) => {
    run = own;
    return endless(claimed, own);
  });
  await jest.advanceTimersByTimeAsync(0);
  worker(endless);
  await run?.report({ progress: { done: 1, total: 9 }, checkpoint: { at: 1 } });
  await run?.report({ progress: { done: 2, total: 9 } });
  expect(await job()).toMatchObject({ progress: { done: 1 }, checkpoint: { at: 1 } });

  await jest.advanceTimersByTimeAsync(3 * LEASE_MS);
  expect(await job()).toMatchObject({ state: 'running', attempts: 1, progress: { done: 2 } });
});

it('ends one that is cancelled, at once when it is told, else with the next renewal', async () => {
  await ask('j1');
  await ask('j2');
  const own = worker(endless);
  await jest.advanceTimersByTimeAsync(0);
  await state.jobs.cancel('j1');
  await state.jobs.cancel('j2');
  await own.cancelled('j1');
  expect(await job('j1')).toMatchObject({ state: 'cancelled' });
  expect(await job('j2')).toMatchObject({ state: 'running' });

  await jest.advanceTimersByTimeAsync(LEASE_MS / 3);
  expect(await job('j2')).toMatchObject({ state: 'cancelled' });
});

it('tells of a failure by its problem, and nothing of one that nobody foresaw', async () => {
  await ask('j1', new ProblemError('conflict', 'not now').message);
  await ask('j2');
  worker(async ({ job: { id } }) => {
    if (id === 'j1') throw new ProblemError('conflict', 'not now');
    throw new Error('password=secret');
  });

  expect(await job('j1')).toMatchObject({
    state: 'failed',
    problem: { code: 'conflict', status: 409, detail: 'not now' },
  });
  expect(await job('j2')).toMatchObject({ state: 'failed', problem: { code: 'internal' } });
  expect(JSON.stringify(await job('j2'))).not.toContain('secret');
});

it('leaves what it does to another when it is stopped', async () => {
  await ask();
  const first = worker(async (claimed, run) => {
    await run.report({ checkpoint: 7 });
    return endless(claimed, run);
  });
  await jest.advanceTimersByTimeAsync(0);
  await first.stop();
  worker(async ({ job: { checkpoint } }) => ({ from: checkpoint }));

  expect(await job()).toMatchObject({ state: 'succeeded', attempts: 2, result: { from: 7 } });
});

it('ends without one that does not listen, which goes on elsewhere when its lease has ended', async () => {
  await ask();
  const deaf = worker(() => new Promise(() => {}));
  await jest.advanceTimersByTimeAsync(0);
  const stopped = deaf.stop();
  await jest.advanceTimersByTimeAsync(LOOK_INTERVAL_MS * 2);
  await stopped;
  expect(await job()).toMatchObject({ state: 'running', attempts: 1 });
  worker(async () => 'done');
  // Nobody renews for a process that has gone; this one is still here.
  for (const { id } of await state.jobs.list()) await lapse(id);
  await jest.advanceTimersByTimeAsync(LOOK_INTERVAL_MS);
  expect(await job()).toMatchObject({ state: 'succeeded', attempts: 2 });
});

it('does not begin one again for ever', async () => {
  await ask();
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    await state.jobs.claim({ replica: 'dead', kinds: ['copy'], leaseMs: 0 });
  }
  worker(async () => 'done');

  expect(await job()).toMatchObject({ state: 'failed', problem: { code: 'overloaded' } });
});

it('goes on when the store was away, and stops when that took longer than its lease', async () => {
  let isAway = false;
  const jobs: JobStore = new Proxy(state.jobs, {
    get: (store, name: keyof JobStore) =>
      isAway
        ? async () => Promise.reject(new StoreUnavailableError('away'))
        : (store[name] as () => unknown).bind(store),
  });
  await ask('short');
  const ends: (string | undefined)[] = [];
  const work: DoJob = async ({ job: { id } }, run) => {
    try {
      for (let done = 0; done < 30; done += 1) {
        await run.report({ progress: { done } });
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
      return id;
    } catch (error) {
      ends.push((error as Error).message);
      throw error;
    }
  };
  worker(work, jobs);
  await jest.advanceTimersByTimeAsync(5_000);
  isAway = true;
  await jest.advanceTimersByTimeAsync(LEASE_MS / 2);
  isAway = false;
  await jest.advanceTimersByTimeAsync(60_000);
  expect(await job('short')).toMatchObject({ state: 'succeeded', attempts: 1 });

  await ask('long');
  await jest.advanceTimersByTimeAsync(5_000);
  isAway = true;
  await jest.advanceTimersByTimeAsync(LEASE_MS * 2);
  expect(ends).toHaveLength(1);
  isAway = false;
  await jest.advanceTimersByTimeAsync(60_000);
  expect(await job('long')).toMatchObject({ state: 'succeeded', attempts: 2 });
});

async function lapse(id: string): Promise<void> {
  const store = state.definitions<Job>('jobs');
  const stored = await store.get(id);
  if (stored === undefined) throw new Error('no such job');
  const { worker: _, ...rest } = stored.item;
  await store.put(rest, stored.revision);
}
