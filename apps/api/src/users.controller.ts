import { Controller, Headers, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { saslprep } from '#libs/access';
import { StoredCredentials } from '#libs/access-sources';
import type {
  Input,
  List,
  UserView,
  WireAclRule,
  WireUser,
  WireUserChange,
  WireUserFilter,
} from '#libs/api-contracts';
import type { Config } from '#libs/config';
import type { Cluster } from './cluster/cluster.ts';
import { Definitions } from './http/definitions.ts';
import { etagOf } from './http/etag.ts';
import type { Pages } from './http/pages.ts';
import { ProblemError } from './http/problem-error.ts';
import { Checked, Route } from './http/route.ts';
import { faulty, presentUser, wireRuleOf } from './access-presenter.ts';
import { CLUSTER, CONFIG, PAGES } from './tokens.ts';

const USERS = new Definitions('user');

/** A user as it is to be. */
interface Wanted {
  readonly id: string;
  readonly groups: readonly string[];
  readonly rules: readonly WireAclRule[];
  /** Absent: as it was. */
  readonly password?: string;
  readonly scram?: boolean;
  /** The one that is replaced; absent for a new user. */
  readonly revision?: number;
}

/** Stored users. Passwords are hashed here, so that none goes on to Redis or to a node. */
@Controller()
export class UsersController {
  readonly #credentials = new StoredCredentials();

  constructor(
    @Inject(CLUSTER) private readonly cluster: Cluster,
    @Inject(PAGES) private readonly pages: Pages,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Route('listUsers')
  async list(
    @Checked() { query }: Input<'listUsers'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<List<UserView>> {
    const exchange = { request, reply };
    const after = this.pages.position<string>(exchange);
    const { items, next } = await this.cluster.inquire().read({
      ...{ kind: 'users', limit: query.limit, filter: filterOf(query) },
      ...(after !== undefined && { after }),
    });
    return this.pages.list(exchange, query.limit, {
      items: items.map((user) => presentUser(user)),
      after: next,
      unavailable: [],
    });
  }

  @Route('createUser')
  async create(
    @Checked() { body }: Input<'createUser'>,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UserView> {
    const change = await this.#put({ ...body, rules: rulesOf(body), id: preparedName(body.name) });
    if (change.kind === 'conflict') throw USERS.exists();
    const user = storedOf(change);
    void reply.header('location', `/api/v1/users/${encodeURIComponent(user.id)}`);
    return shown(user, reply);
  }

  @Route('getUser')
  async show(
    @Checked() { path }: Input<'getUser'>,
    @Headers('if-none-match') known: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UserView | undefined> {
    const user = await this.#find(path.user_name);
    if (user === undefined) throw USERS.refused('absent');
    return USERS.shownUnless(known, { revision: user.revision, reply }, presentUser(user));
  }

  @Route('replaceUser')
  async replace(
    @Checked() { path, body }: Input<'replaceUser'>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UserView> {
    const { user_name: name } = path;
    if (!USERS.createsOnly(request)) {
      const { id, revision } = await this.#own(name, request.headers['if-match']);
      return shown(
        storedOf(await this.#put({ ...body, rules: rulesOf(body), id, revision })),
        reply,
      );
    }
    if (body.password === undefined) throw faulty('/password', 'A new user needs a password');
    const view = shown(
      storedOf(await this.#put({ ...body, rules: rulesOf(body), id: preparedName(name) })),
      reply,
    );
    void reply.status(201);
    return view;
  }

  @Route('patchUser')
  async patch(
    @Checked() { path, body }: Input<'patchUser'>,
    @Headers('if-match') ifMatch: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<UserView> {
    const { id, revision, ...before } = await this.#own(path.user_name, ifMatch);
    const { groups = before.groups, acl, scram = before.hasScram, password } = body;
    const rules = acl === undefined ? before.rules : rulesOf({ acl });
    const secret = password === undefined ? {} : { password, scram };
    const change = await this.#put({ ...secret, groups, rules, id, revision });
    return shown(storedOf(change), reply);
  }

  @Route('deleteUser')
  async delete(
    @Checked() { path }: Input<'deleteUser'>,
    @Headers('if-match') ifMatch: string | undefined,
  ): Promise<void> {
    const { id, revision } = await this.#own(path.user_name, ifMatch);
    const { kind } = await this.cluster.inquire().change({ kind: 'remove-user', id, revision });
    if (kind !== 'stored') throw USERS.refused(kind);
  }

  async #find(name: string): Promise<WireUser | undefined> {
    const prepared = saslprep(name);
    if (prepared.kind === 'refused') return undefined;
    return (await this.cluster.inquire().read({ kind: 'user', id: prepared.text })).user;
  }

  async #own(name: string, ifMatch: string | undefined): Promise<WireUser> {
    const user = await this.#find(name);
    return USERS.own(user && { ...user, source: 'api' as const }, ifMatch);
  }

  async #put({ id, groups, rules, password, scram = false, revision }: Wanted) {
    const secret = password === undefined ? {} : await this.#credentialsOf(password, scram);
    return this.cluster.inquire().change({
      ...{ kind: 'put-user', id, groups, rules, ...secret },
      ...(revision !== undefined && { revision }),
    });
  }

  async #credentialsOf(password: string, scram: boolean) {
    const { iterations, hashCost } = this.config.auth;
    const made = await this.#credentials.make(password, { iterations, hashCost, scram });
    switch (made.kind) {
      case 'made':
        return { credentials: made.credentials };
      case 'refused':
        throw faulty('/password', `The password ${made.fault}`);
      case 'busy':
        throw new ProblemError('overloaded', 'Too many passwords are being hashed');
    }
  }
}

function preparedName(name: string): string {
  const prepared = saslprep(name);
  if (prepared.kind === 'refused') throw faulty('/name', `The name ${prepared.fault}`);
  if (prepared.text === '') throw faulty('/name', 'The name is empty');
  return prepared.text;
}

function rulesOf({ acl }: Pick<Input<'createUser'>['body'], 'acl'>): WireAclRule[] {
  return acl.map((rule) => wireRuleOf(rule));
}

function shown(user: WireUser, reply: FastifyReply): UserView {
  void reply.header('etag', etagOf(user.revision));
  return presentUser(user);
}

function storedOf(change: WireUserChange): WireUser {
  if (change.kind === 'stored') return change.user;
  if (change.kind === 'invalid') throw new ProblemError('unprocessable', change.detail);
  throw USERS.refused(change.kind);
}

function filterOf(query: Input<'listUsers'>['query']): WireUserFilter {
  const { username, group } = query;
  const { 'username[like]': prefix, 'username[in]': names } = query;
  const wanted = [names, username === undefined ? undefined : [username]].filter(
    (list): list is readonly string[] => list !== undefined,
  );
  const [first, second = first] = wanted;
  return {
    names: first?.filter((name) => second?.includes(name) === true),
    namePrefix: prefix as string | undefined,
    group: group as string | undefined,
  };
}
