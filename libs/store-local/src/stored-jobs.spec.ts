import { beforeEach, expect, it } from '@jest/globals';
import {
  JOBS_ENDED_AGE_MS_MAX,
  StoredJobs,
  type Job,
  type JobInput,
  type JobResult,
} from '#libs/broker-ports';
import { LocalDefinitionStore } from './local-definition-store.ts';

const SEEKER = { replica: 'r', kinds: ['k'], leaseMs: 1_000 };

let nowMs: number;
let results: LocalDefinitionStore<JobResult>;
let jobs: StoredJobs;

beforeEach(() => {
  nowMs = 1_000_000;
  let ids = 0;
  results = new LocalDefinitionStore<JobResult>('job-results');
  jobs = new StoredJobs({
    jobs: new LocalDefinitionStore<Job>('jobs'),
    inputs: new LocalDefinitionStore<JobInput>('job-inputs'),
    results,
    now: async () => nowMs,
    uniqueId: () => String((ids += 1)),
    resultsCharactersMax: 250,
  });
});

async function done(id: string, characters: number): Promise<void> {
  nowMs += 1;
  await jobs.create({ id, kind: 'k', actor: 'a', input: {} });
  const claimed = await jobs.claim(SEEKER);
  if (claimed === undefined) throw new Error('nothing to do');
  // With its quotes.
  const result = 'x'.repeat(characters - 2);
  expect(await jobs.finish(claimed, { state: 'succeeded', result })).toBe(true);
}

const kept = async () => ({
  jobs: (await jobs.list()).map(({ id }) => id).toSorted(),
  results: (await results.list()).map(({ item }) => item.id).toSorted(),
});

it('results are kept as long as all of them together are not too large, the latest in any case', async () => {
  await done('a', 100);
  await done('b', 100);
  expect(await kept()).toEqual({ jobs: ['a', 'b'], results: ['a', 'b'] });
  await done('c', 100);
  expect(await kept()).toEqual({ jobs: ['b', 'c'], results: ['b', 'c'] });
  await done('d', 300);
  expect(await kept()).toEqual({ jobs: ['d'], results: ['d'] });
});

it('jobs that ended long ago are dropped by whoever looks for work', async () => {
  await done('a', 10);
  nowMs += JOBS_ENDED_AGE_MS_MAX;
  await jobs.create({ id: 'b', kind: 'other', actor: 'a', input: {} });
  await jobs.claim(SEEKER);
  expect(await kept()).toEqual({ jobs: ['a', 'b'], results: ['a'] });
  nowMs += 1;
  await jobs.claim(SEEKER);
  expect(await kept()).toEqual({ jobs: ['b'], results: [] });
});
