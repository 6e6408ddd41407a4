import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AddressRange } from '#libs/access';
import {
  API_KEY_FILTERS,
  conditionsOf,
  meets,
  type ApiKeySecretView,
  type ApiKeyView,
  type Input,
  type List,
  type Scope,
  type WhoamiView,
} from '#libs/api-contracts';
import type { StoredDefinition } from '#libs/broker-ports';
import { faulty } from './access-presenter.ts';
import { presentApiKey, presentCaller } from './api-key-presenter.ts';
import { API_KEYS_MAX, type IssuedKey } from './guard/api-keys.ts';
import { knownCaller, type Caller } from './guard/caller.ts';
import { requireGrantable, requireNotAbove } from './guard/grants.ts';
import type { Guard } from './guard/guard.ts';
import { newId, prefixOf } from './guard/key-secret.ts';
import type { StoredApiKey } from './guard/stored.ts';
import { wantedDefinitions } from './http/definition-page.ts';
import { Definitions } from './http/definitions.ts';
import { etagOf, namesTag } from './http/etag.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { GUARD, PAGES } from './tokens.ts';

const KEYS = new Definitions('key');

type Stored = StoredDefinition<StoredApiKey>;
type Patch = Input<'patchApiKey'>['body'];

/** API keys, and who the caller is. Secrets leave in the replies that make them, and are kept nowhere. */
@Controller()
export class ApiKeysController {
  constructor(
    @Inject(GUARD) private readonly guard: Guard,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('whoami')
  whoami(@Req() request: FastifyRequest): WhoamiView {
    return presentCaller(knownCaller(request), this.guard.limits.limits);
  }

  @Route('listApiKeys')
  async list(
    @Checked() { query }: Input<'listApiKeys'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<ApiKeyView>> {
    const exchange = { request, reply };
    const { keys } = this.guard;
    const after = this.pages.position<string>(exchange);
    const conditions = conditionsOf(API_KEY_FILTERS, query);
    const uses = await keys.lastUses();
    const found = await wantedDefinitions(keys.store, {
      ...{ after, limit: query.limit },
      isWanted: (key) => meets(conditions, (field) => valueOf(key, uses.get(key.id), field)),
    });
    return this.pages.list(exchange, query.limit, {
      items: found.items.map((key) => presentApiKey(key, uses.get(key.id))),
      ...{ after: found.after, unavailable: [] },
    });
  }

  @Route('createApiKey')
  async create(
    @Checked() { body }: Input<'createApiKey'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ApiKeySecretView> {
    const caller = knownCaller(request);
    const { keys, admins } = this.guard;
    const key = {
      ...{ id: newId(), name: body.name, scopes: body.scopes, cidrs: cidrsOf(body) },
      ...(body.role !== undefined && { role: body.role }),
      ...(body.topic_prefixes !== undefined && { topicPrefixes: body.topic_prefixes }),
      ...(body.expires_at !== undefined && { expiresAtMs: Date.parse(body.expires_at) }),
      createdBy: caller.id,
    };
    const issued = await admins.exclusively(async () => {
      const scopes = await this.#require(caller, key);
      if ((await keys.store.list()).length >= API_KEYS_MAX) {
        throw new ProblemError('limit-reached', `There may be ${API_KEYS_MAX} keys`);
      }
      // From the first key on this machine is not served without one: somebody must be able to make others.
      const isAdmin = scopes.size === caller.scopes.size && key.topicPrefixes === undefined;
      const lasts = (key.expiresAtMs ?? Infinity) > Date.now();
      if (caller.kind === 'local' && !(isAdmin && lasts) && !(await admins.exist())) {
        throw new ProblemError('conflict', 'The first key has to be one with the role admin');
      }
      return keys.create(key);
    });
    if (issued === undefined) throw KEYS.exists();
    void reply.header('location', `/api/v1/api-keys/${key.id}`);
    return shown(issued, reply);
  }

  @Route('getApiKey')
  async show(
    @Checked() { path }: Input<'getApiKey'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ApiKeyView | undefined> {
    const { item, revision } = await this.#find(path.key_id);
    const view = presentApiKey(item, await this.guard.keys.lastUse(item.id));
    return KEYS.shownUnless(known, { revision, reply }, view);
  }

  @Route('patchApiKey')
  async patch(
    @Checked() { path, body }: Input<'patchApiKey'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ApiKeyView> {
    const { keys, admins } = this.guard;
    const before = await this.#find(path.key_id);
    KEYS.own(before, request.headers['if-match']);
    const key = patched(before.item, body);
    const caller = knownCaller(request);
    requireNotAbove(caller, await this.#scopesOf(before.item));
    const result = await admins.keeping(
      (now) => ({ ...now, keys: now.keys.map((each) => (each.id === key.id ? key : each)) }),
      async () => {
        await this.#require(caller, key);
        return keys.store.put(key, before.revision);
      },
    );
    if (result.kind !== 'stored') throw KEYS.refused(result.kind);
    void reply.header('etag', etagOf(result.stored.revision));
    return presentApiKey(key, await keys.lastUse(key.id));
  }

  @Route('deleteApiKey')
  async revoke(
    @Checked() { path }: Input<'deleteApiKey'>,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    const { item, revision } = await this.#find(path.key_id);
    const ifMatch = request.headers['if-match'];
    requireNotAbove(knownCaller(request), await this.#scopesOf(item));
    if (ifMatch !== undefined && !namesTag(ifMatch, etagOf(revision))) {
      throw KEYS.refused('conflict');
    }
    const kind = await this.guard.admins.keeping(
      (now) => ({ ...now, keys: now.keys.filter(({ id }) => id !== item.id) }),
      () => this.guard.keys.revoke(item.id, ifMatch === undefined ? undefined : revision),
    );
    if (kind !== 'stored') throw KEYS.refused(kind);
  }

  @Route('rotateApiKey')
  async rotate(
    @Checked() { path, body }: Input<'rotateApiKey'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ApiKeySecretView> {
    const stored = await this.#find(path.key_id);
    // Whoever has the secret of a key has all that the key has.
    await this.#require(knownCaller(request), stored.item);
    const issued = await this.guard.keys.rotate(stored, body.overlap_seconds * 1_000);
    if (issued === undefined) {
      throw new ProblemError('conflict', 'The key was changed at the same moment; try again');
    }
    return shown(issued, reply);
  }

  async #find(id: string): Promise<Stored> {
    const stored = await this.guard.keys.store.get(id);
    if (stored === undefined) throw KEYS.refused('absent');
    return stored;
  }

  /** Holds a caller to what it may give a key; gives the scopes of the key. */
  async #require(
    caller: Caller,
    key: Omit<StoredApiKey, 'secrets' | 'createdAtMs'>,
  ): Promise<ReadonlySet<Scope>> {
    const { roles } = this.guard;
    if (key.role !== undefined && (await roles.find(key.role)) === undefined) {
      throw faulty('/role', `There is no role ${key.role}`);
    }
    const scopes = await this.#scopesOf(key);
    requireGrantable(caller, { ...key, scopes });
    return scopes;
  }

  /** What a key allows now, with what another replica has just given to it. */
  async #scopesOf(key: Pick<StoredApiKey, 'id' | 'role' | 'scopes'>): Promise<ReadonlySet<Scope>> {
    const { roles } = this.guard;
    await Promise.all([roles.made.refresh(), roles.bindings.refresh()]);
    const own = key.role === undefined ? [] : [key.role];
    const { scopes } = await roles.of(own, [{ kind: 'api_key', name: key.id }]);
    for (const scope of key.scopes) scopes.add(scope);
    return scopes;
  }
}

function cidrsOf({ allowed_cidrs: cidrs = [] }: { readonly allowed_cidrs?: readonly string[] }) {
  return cidrs.map((text, index) => {
    const range = AddressRange.parse(text);
    if (range === undefined) {
      throw faulty(`/allowed_cidrs/${index}`, 'must be an IP address or a network as 10.0.0.0/8');
    }
    return range.text;
  });
}

function patched(key: StoredApiKey, patch: Patch): StoredApiKey {
  const { role: _, topicPrefixes: __, expiresAtMs: ___, ...rest } = key;
  const { role = key.role, topic_prefixes: topicPrefixes = key.topicPrefixes } = patch;
  const expiresAtMs =
    typeof patch.expires_at === 'string'
      ? Date.parse(patch.expires_at)
      : patch.expires_at === null
        ? undefined
        : key.expiresAtMs;
  const changed = {
    ...rest,
    name: patch.name ?? key.name,
    scopes: patch.scopes ?? key.scopes,
    cidrs: patch.allowed_cidrs === undefined ? key.cidrs : cidrsOf(patch),
    ...(role !== undefined && role !== null && { role }),
    ...(topicPrefixes !== undefined && topicPrefixes !== null && { topicPrefixes }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  };
  if (changed.role === undefined && changed.scopes.length === 0) {
    throw faulty('/role', 'A key needs a role or scopes');
  }
  return changed;
}

function shown({ stored, secret }: IssuedKey, reply: FastifyReply): ApiKeySecretView {
  void reply.header('etag', etagOf(stored.revision));
  return { ...presentApiKey(stored.item, undefined), secret };
}

/** What filters compare of a key. */
function valueOf(
  key: StoredApiKey,
  lastUsedAtMs: number | undefined,
  field: string,
): string | number | undefined {
  switch (field) {
    case 'name':
      return key.name;
    case 'prefix':
      return prefixOf(key.id);
    case 'role':
      return key.role;
    case 'created_by':
      return key.createdBy;
    case 'created_at':
      return key.createdAtMs;
    case 'expires_at':
      return key.expiresAtMs;
    case 'last_used_at':
      return lastUsedAtMs;
    default:
      return undefined;
  }
}
