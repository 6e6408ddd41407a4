import { Acl, parseScramCredential, type StoredUser } from '#libs/access';
import type {
  CommandOf,
  NodeAnswers,
  UserAnswers,
  UserCommand,
  WireDefinedUser,
  WireUser,
  WireUserChange,
  WireUserFilter,
} from '#libs/api-contracts';
import type { DefinitionStore, StoredDefinition } from '#libs/broker-ports';
import { bounded } from './bounded.ts';

/** What commands on stored users work on. */
export interface UserCommandsOptions {
  readonly users: Pick<DefinitionStore<StoredUser>, 'get' | 'page' | 'put' | 'remove'>;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** Users read at a time. */
const READ_AT_ONCE = 500;

/** Users that are looked at for one page: of 100,000 few may be in a group, and an answer has its time. */
const LOOKED_AT_MAX = 5_000;

/** A page ends where it would be larger than an answer should. */
const PAGE_CHARACTERS_MAX = 4 * 1024 * 1024;

/** Stored users as the API sees them. */
export class UserCommands {
  readonly #options: UserCommandsOptions;

  constructor(options: UserCommandsOptions) {
    this.#options = options;
  }

  /** Carries a command out. */
  answer(command: UserCommand): Promise<UserAnswers[UserCommand['kind']]> {
    switch (command.kind) {
      case 'users':
        return this.users(bounded(command));
      case 'users-with-credentials':
        return this.defined(command);
      case 'user':
        return this.user(command);
      case 'put-user':
        return this.put(command);
      case 'remove-user':
        return this.remove(command);
    }
  }

  async users({ after, limit, filter = {} }: CommandOf<'users'>): Promise<NodeAnswers['users']> {
    if (filter.names !== undefined) return { items: await this.#named(filter.names, filter) };
    const items: WireUser[] = [];
    let characters = 0;
    const prefix = filter.namePrefix ?? '';
    const isBegun = after !== undefined && after.startsWith(prefix);
    // Before the prefix there is none that has it, and whoever has just that name is looked up.
    const first = isBegun || prefix === '' ? undefined : await this.#options.users.get(prefix);
    let from = isBegun || prefix === '' ? after : prefix;
    let found = first === undefined ? [] : [first];
    for (let looked = 0; ; looked += found.length) {
      for (const stored of found) {
        const { id } = stored.item;
        if (!id.startsWith(prefix)) return { items };
        const user = wireUserOf(stored);
        const isWanted = meets(user, filter);
        characters += isWanted ? JSON.stringify(user).length : 0;
        const isFull = items.length === limit || characters > PAGE_CHARACTERS_MAX;
        if (isWanted && isFull && items.length > 0) return { items, next: from };
        if (isWanted) items.push(user);
        from = id;
      }
      if (looked >= LOOKED_AT_MAX) return { items, next: from };
      found = [...(await this.#options.users.page({ after: from, limit: READ_AT_ONCE }))];
      if (found.length === 0) return { items };
    }
  }

  /** Users with their hashes, for export. */
  async defined({
    after,
    limit,
  }: CommandOf<'users-with-credentials'>): Promise<NodeAnswers['users-with-credentials']> {
    const found = await this.#options.users.page({ after, limit: limit + 1 });
    const items: WireDefinedUser[] = [];
    let characters = 0;
    for (const { item, revision } of found.slice(0, limit)) {
      const { id, credentials, groups, rules } = item;
      const user = { id, credentials, groups, rules, revision };
      characters += JSON.stringify(user).length;
      if (items.length > 0 && characters > PAGE_CHARACTERS_MAX) break;
      items.push(user);
    }
    return { items, hasMore: found.length > items.length };
  }

  async user({ id }: CommandOf<'user'>): Promise<NodeAnswers['user']> {
    const stored = await this.#options.users.get(id);
    return { user: stored && wireUserOf(stored) };
  }

  async #named(names: readonly string[], filter: WireUserFilter): Promise<readonly WireUser[]> {
    const ids = [...new Set(names)].slice(0, READ_AT_ONCE);
    const found = await Promise.all(ids.map((id) => this.#options.users.get(id)));
    return found
      .filter((stored) => stored !== undefined)
      .map((stored) => wireUserOf(stored))
      .filter((user) => meets(user, filter));
  }

  async put(command: CommandOf<'put-user'>): Promise<WireUserChange> {
    const { id, groups, rules, revision } = command;
    const { users, nowMs } = this.#options;
    const fault = faultOf(rules);
    if (fault !== undefined) return { kind: 'invalid', detail: fault };
    const before = revision === undefined ? undefined : await users.get(id);
    const passwordSetAtMs =
      command.credentials === undefined ? before?.item.passwordSetAtMs : nowMs();
    const credentials = command.credentials ?? before?.item.credentials;
    if (credentials === undefined || passwordSetAtMs === undefined) return { kind: 'absent' };
    const item: StoredUser = { id, groups, rules, credentials, passwordSetAtMs };
    // Whoever has changed it since has changed the revision as well.
    const result = await users.put(item, revision);
    return result.kind === 'stored' ? { kind: 'stored', user: wireUserOf(result.stored) } : result;
  }

  async remove({ id, revision }: CommandOf<'remove-user'>): Promise<NodeAnswers['remove-user']> {
    return { kind: (await this.#options.users.remove(id, revision)).kind };
  }
}

function meets({ id, groups }: WireUser, { namePrefix, group }: WireUserFilter): boolean {
  if (namePrefix !== undefined && !id.startsWith(namePrefix)) return false;
  return group === undefined || groups.includes(group);
}

function wireUserOf({ item, revision }: StoredDefinition<StoredUser>): WireUser {
  const { id, groups, rules, credentials, passwordSetAtMs } = item;
  const hasScram = credentials.some((text) => parseScramCredential(text) !== undefined);
  return { id, groups, rules, hasScram, passwordSetAtMs, revision };
}

/** Why rules cannot be; undefined when they can. */
function faultOf(rules: StoredUser['rules']): string | undefined {
  try {
    void new Acl(rules, 'deny');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
