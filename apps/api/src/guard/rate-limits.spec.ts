import { expect, it } from '@jest/globals';
import type { FastifyReply } from 'fastify';
import { loadConfig } from '#libs/config';
import { ApiMeter } from '#libs/metrics-prom';
import { openLocalApiState } from '#libs/store-local';
import type { Caller } from './caller.ts';
import { RateLimits } from './rate-limits.ts';

const PUBLISH = { scope: 'messages:publish' } as const;

const caller: Caller = {
  ...{ kind: 'api_key', id: 'key:a', name: 'a', roles: [], scopes: new Set() },
  ...{ topicPrefixes: undefined, cidrs: [], expiresAtMs: undefined },
};

async function limitsOf(env: Readonly<Record<string, string>>, nowMs: () => number) {
  const { rateLimits } = loadConfig({ env }).api;
  const state = await openLocalApiState({ clock: nowMs });
  return new RateLimits(rateLimits, state, new ApiMeter());
}

/** A reply of which nothing but its headers is used. */
function replyOf(): { readonly reply: FastifyReply; readonly headers: Record<string, string> } {
  const headers: Record<string, string> = {};
  const reply = { headers: (more: object) => Object.assign(headers, more) };
  return { reply: reply as unknown as FastifyReply, headers };
}

it('counts each message of a request that publishes many, also more than the burst', async () => {
  let nowMs = 0;
  const env = {
    SKEIN_API_RATE_LIMITS_PUBLISHES_PER_SECOND: '10',
    SKEIN_API_RATE_LIMITS_PUBLISH_BURST: '100',
  };
  const limits = await limitsOf(env, () => nowMs);
  const publish = async (messages: number) => {
    const { reply, headers } = replyOf();
    try {
      await limits.take(caller, PUBLISH, { reply });
      await limits.takeMore(caller, PUBLISH, { reply, items: messages });
      return headers['ratelimit-remaining'];
    } catch (error) {
      return (error as { readonly code: string }).code;
    }
  };
  expect(await publish(1)).toBe('99');
  expect(await publish(40)).toBe('59');
  expect(await publish(70)).toBe('rate-limited');
  nowMs = 20_000;
  expect(await publish(1_000)).toBe('0');
  nowMs = 109_000;
  expect(await publish(1)).toBe('rate-limited');
  nowMs = 110_200;
  expect(await publish(1)).toBe('1');
});

it('counts refusals by networks: whoever has an IPv6 address has many', async () => {
  const env = {
    SKEIN_API_RATE_LIMITS_FAILURES_PER_SECOND: '1',
    SKEIN_API_RATE_LIMITS_FAILURE_BURST: '2',
  };
  const limits = await limitsOf(env, () => 0);
  await limits.failed('2001:db8::1');
  await limits.failed('2001:db8::2');
  await expect(limits.failed('2001:db8::3')).rejects.toMatchObject({ code: 'rate-limited' });
  await limits.failed('2001:db8:0:1::3');
  await limits.failed('198.51.100.1');
  await limits.failed('::ffff:198.51.100.1');
  await expect(limits.failed('198.51.100.1')).rejects.toMatchObject({ code: 'rate-limited' });
});
