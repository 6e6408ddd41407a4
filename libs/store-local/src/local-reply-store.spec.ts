import { expect, it } from '@jest/globals';
import { LocalReplyStore } from './local-reply-store.ts';

const REPLIES_MAX = 10_000;
const HOUR_MS = 3_600_000;
const REPLY = { status: 201, headers: {}, body: '' };

it('forgets what was answered longest ago when it holds too much, never what is being carried out', async () => {
  const store = new LocalReplyStore({ clock: () => 0 });
  const begin = (key: string) => store.begin({ key, bodyHash: '', leaseMs: HOUR_MS });
  const answer = async (key: string) => {
    const begun = await begin(key);
    if (begun.kind !== 'fresh') throw new Error(begun.kind);
    await store.finish({ key, claim: begun.claim }, REPLY, HOUR_MS);
  };
  await begin('under way');
  for (let index = 0; index < REPLIES_MAX; index += 1) await answer(`answered ${index}`);
  await answer('one more');
  expect((await begin('under way')).kind).toBe('in-progress');
  expect((await begin('one more')).kind).toBe('replay');
  expect((await begin('answered 0')).kind).toBe('fresh');
});
