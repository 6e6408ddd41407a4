import type { ApiKeyView, WhoamiView } from '#libs/api-contracts';
import type { Caller } from './guard/caller.ts';
import { prefixOf } from './guard/key-secret.ts';
import type { RateLimit } from './guard/rate-limits.ts';
import type { StoredApiKey } from './guard/stored.ts';

/** A key as callers see it: nothing of its secrets. */
export function presentApiKey(key: StoredApiKey, lastUsedAtMs: number | undefined): ApiKeyView {
  const [, former] = key.secrets;
  return {
    id: key.id,
    name: key.name,
    prefix: prefixOf(key.id),
    role: key.role ?? null,
    scopes: [...key.scopes],
    topic_prefixes: key.topicPrefixes === undefined ? null : [...key.topicPrefixes],
    allowed_cidrs: [...key.cidrs],
    created_at: new Date(key.createdAtMs).toISOString(),
    created_by: key.createdBy,
    expires_at: momentOf(key.expiresAtMs),
    last_used_at: momentOf(lastUsedAtMs),
    previous_secret_expires_at: momentOf(former?.expiresAtMs),
  };
}

/** Who calls, and what it may do. */
export function presentCaller(caller: Caller, limits: readonly RateLimit[]): WhoamiView {
  const { kind, id, name, roles, scopes, topicPrefixes, expiresAtMs } = caller;
  return {
    ...{ kind, id, name, roles: [...roles], scopes: [...scopes].sort() },
    topic_prefixes: topicPrefixes === undefined ? null : [...topicPrefixes],
    expires_at: momentOf(expiresAtMs),
    limits: limits.map(({ policy, ratePerSecond, burst }) => ({
      ...{ policy, burst },
      requests_per_second: ratePerSecond,
    })),
  };
}

function momentOf(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
