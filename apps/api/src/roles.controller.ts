import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  ROLE_BINDING_FILTERS,
  ROLE_FILTERS,
  conditionsOf,
  meets,
  type Condition,
  type Input,
  type List,
  type RoleBindingView,
  type RoleView,
  type Scope,
} from '#libs/api-contracts';
import type { StoredDefinition } from '#libs/broker-ports';
import { faulty } from './access-presenter.ts';
import { knownCaller } from './guard/caller.ts';
import { requireNotAbove, requireRoleGrantable } from './guard/grants.ts';
import type { Guard } from './guard/guard.ts';
import { newId } from './guard/key-secret.ts';
import { RoleChanges } from './guard/role-changes.ts';
import { builtInRoles, isBuiltIn } from './guard/roles.ts';
import type { StoredRole, StoredRoleBinding } from './guard/stored.ts';
import { wantedDefinitions } from './http/definition-page.ts';
import { Definitions } from './http/definitions.ts';
import { etagOf } from './http/etag.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { GUARD, PAGES } from './tokens.ts';

const ROLES = new Definitions('role');
const BINDINGS = new Definitions('role binding');
const BINDINGS_MAX = 10_000;

type WantedBinding = Pick<StoredRoleBinding, 'role' | 'subject'>;

/** Roles, and who has which. */
@Controller()
export class RolesController {
  constructor(
    @Inject(GUARD) private readonly guard: Guard,
    @Inject(PAGES) private readonly pages: Pages,
  ) {}

  @Route('listRoles')
  async listRoles(
    @Checked() { query }: Input<'listRoles'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<RoleView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange) ?? '';
    const made = await this.guard.roles.made.refresh();
    const conditions = conditionsOf(ROLE_FILTERS, query);
    const all = [...builtInRoles(), ...made.values()].filter(
      (role) => role.id > after && isWantedRole(role, conditions),
    );
    all.sort((one, other) => (one.id < other.id ? -1 : 1));
    const items = all.slice(0, query.limit);
    return this.pages.list(exchange, query.limit, {
      items: items.map((role) => presentRole(role)),
      after: all.length > items.length ? items.at(-1)?.id : undefined,
      unavailable: [],
    });
  }

  @Route('createRole')
  async createRole(
    @Checked() { body }: Input<'createRole'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RoleView> {
    if (isBuiltIn(body.id)) throw ROLES.exists();
    const stored = await new RoleChanges(this.guard).make(body, knownCaller(request));
    if (stored === undefined) throw ROLES.exists();
    void reply.header('location', `/api/v1/roles/${body.id}`);
    return shownRole(stored, reply);
  }

  @Route('getRole')
  async showRole(
    @Checked() { path }: Input<'getRole'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RoleView | undefined> {
    const stored = await this.#findRole(path.role_id);
    if (stored === undefined) throw ROLES.refused('absent');
    const { item, revision } = stored;
    return ROLES.shownUnless(known, { revision, reply }, presentRole(item));
  }

  @Route('replaceRole')
  async replaceRole(
    @Checked() { path, body }: Input<'replaceRole'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RoleView> {
    const role = { id: path.role_id, ...body };
    if (ROLES.createsOnly(request)) {
      if (isBuiltIn(role.id)) throw ROLES.refused('conflict');
      if (!/^[a-z][a-z0-9_-]{0,63}$/.test(role.id)) {
        throw faulty('/path/role_id', 'That is no id of a role');
      }
      const made = await new RoleChanges(this.guard).make(role, knownCaller(request));
      if (made === undefined) throw ROLES.refused('conflict');
      void reply.status(201);
      return shownRole(made, reply);
    }
    const before = ROLES.own(await this.#findRole(role.id), request.headers['if-match']);
    const result = await new RoleChanges(this.guard).replace(before, role, knownCaller(request));
    if (result.kind !== 'stored') throw ROLES.refused(result.kind);
    return shownRole(result.stored, reply);
  }

  @Route('deleteRole')
  async deleteRole(
    @Checked() { path }: Input<'deleteRole'>,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    const id = path.role_id;
    const before = ROLES.own(await this.#findRole(id), request.headers['if-match']);
    const result = await new RoleChanges(this.guard).remove(before, knownCaller(request));
    if (result.kind !== 'stored') throw ROLES.refused(result.kind);
  }

  @Route('listRoleBindings')
  async listBindings(
    @Checked() { query }: Input<'listRoleBindings'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<RoleBindingView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange);
    const { store } = this.guard.roles.bindings;
    const conditions = conditionsOf(ROLE_BINDING_FILTERS, query);
    const found = await wantedDefinitions(store, {
      ...{ after, limit: query.limit },
      isWanted: ({ role, subject: { kind, name } }) => {
        const values = { role, subject_kind: kind, subject_name: name };
        return meets(conditions, (field) => values[field as keyof typeof values]);
      },
    });
    return this.pages.list(exchange, query.limit, {
      items: found.items.map((binding) => presentBinding(binding)),
      ...{ after: found.after, unavailable: [] },
    });
  }

  @Route('createRoleBinding')
  async createBinding(
    @Checked() { body }: Input<'createRoleBinding'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RoleBindingView> {
    const { bindings } = this.guard.roles;
    const binding = { ...body, id: newId(), createdAtMs: Date.now() };
    const result = await this.guard.admins.exclusively(async () => {
      await this.#requireBindable(body, request);
      if ((await bindings.refresh()).size >= BINDINGS_MAX) {
        throw new ProblemError('limit-reached', `There may be ${BINDINGS_MAX} bindings`);
      }
      return bindings.store.put(binding, undefined);
    });
    if (result.kind !== 'stored') throw BINDINGS.exists();
    await bindings.refresh();
    void reply.header('location', `/api/v1/role-bindings/${binding.id}`);
    return shownBinding(result.stored, reply);
  }

  @Route('getRoleBinding')
  async showBinding(
    @Checked() { path }: Input<'getRoleBinding'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RoleBindingView | undefined> {
    const stored = await this.guard.roles.bindings.store.get(path.binding_id);
    if (stored === undefined) throw BINDINGS.refused('absent');
    const { item, revision } = stored;
    return BINDINGS.shownUnless(known, { revision, reply }, presentBinding(item));
  }

  @Route('replaceRoleBinding')
  async replaceBinding(
    @Checked() { path, body }: Input<'replaceRoleBinding'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RoleBindingView> {
    const { roles, admins } = this.guard;
    const before = BINDINGS.own(
      await roles.bindings.store.get(path.binding_id),
      request.headers['if-match'],
    );
    requireNotAbove(knownCaller(request), await this.#scopesOf(before.item));
    const binding = { ...before.item, ...body };
    const result = await admins.keeping(
      (now) => ({
        ...now,
        bindings: now.bindings.map((each) => (each.id === binding.id ? binding : each)),
      }),
      async () => {
        await this.#requireBindable(body, request);
        return roles.bindings.store.put(binding, before.revision);
      },
    );
    if (result.kind !== 'stored') throw BINDINGS.refused(result.kind);
    await roles.bindings.refresh();
    return shownBinding(result.stored, reply);
  }

  @Route('deleteRoleBinding')
  async deleteBinding(
    @Checked() { path }: Input<'deleteRoleBinding'>,
    @Req() request: FastifyRequest,
  ): Promise<void> {
    const { roles, admins } = this.guard;
    const id = path.binding_id;
    const { item, revision } = BINDINGS.own(
      await roles.bindings.store.get(id),
      request.headers['if-match'],
    );
    requireNotAbove(knownCaller(request), await this.#scopesOf(item));
    const result = await admins.keeping(
      (now) => ({ ...now, bindings: now.bindings.filter((each) => each.id !== id) }),
      () => roles.bindings.store.remove(id, revision),
    );
    if (result.kind !== 'stored') throw BINDINGS.refused(result.kind);
    await roles.bindings.refresh();
  }

  /** What a binding gives. */
  async #scopesOf({ role }: Pick<StoredRoleBinding, 'role'>): Promise<ReadonlySet<Scope>> {
    return new Set((await this.guard.roles.find(role))?.scopes ?? []);
  }

  async #findRole(id: string): Promise<StoredDefinition<StoredRole> | undefined> {
    const item = builtInRoles().find((role) => role.id === id);
    if (item !== undefined) return { item, source: 'config', revision: 0 };
    return this.guard.roles.made.store.get(id);
  }

  /** @throws ProblemError when the role is not there, or is more than the caller has. */
  async #requireBindable({ role, subject }: WantedBinding, request: FastifyRequest): Promise<void> {
    const { roles, keys } = this.guard;
    const found = await roles.find(role);
    if (found === undefined) throw faulty('/role', `There is no role ${role}`);
    if (subject.kind === 'api_key' && (await keys.store.get(subject.name)) === undefined) {
      throw faulty('/subject/name', 'There is no such key');
    }
    requireRoleGrantable(knownCaller(request), new Set(found.scopes));
  }
}

/** A role has many scopes: it meets the condition on one when it has that. */
function isWantedRole({ id, scopes }: StoredRole, conditions: readonly Condition[]): boolean {
  const onScope = conditions.filter(({ field }) => field === 'scope');
  const others = conditions.filter(({ field }) => field !== 'scope');
  return (
    onScope.every(({ value }) => scopes.some((scope) => scope === value)) &&
    meets(others, (field) => (field === 'id' ? id : isBuiltIn(id)))
  );
}

function presentRole({ id, description, scopes }: StoredRole): RoleView {
  return { id, description, scopes: [...scopes], built_in: isBuiltIn(id) };
}

function shownRole(
  { item, revision }: StoredDefinition<StoredRole>,
  reply: FastifyReply,
): RoleView {
  void reply.header('etag', etagOf(revision));
  return presentRole(item);
}

function presentBinding({ id, role, subject, createdAtMs }: StoredRoleBinding): RoleBindingView {
  return { id, role, subject, created_at: new Date(createdAtMs).toISOString() };
}

function shownBinding(
  { item, revision }: StoredDefinition<StoredRoleBinding>,
  reply: FastifyReply,
): RoleBindingView {
  void reply.header('etag', etagOf(revision));
  return presentBinding(item);
}
