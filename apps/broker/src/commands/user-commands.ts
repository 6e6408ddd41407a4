import { Acl, parseScramCredential, type StoredUser } from '#libs/access';
import type { CommandOf, NodeAnswers, WireUser, WireUserChange } from '#libs/api-contracts';
import type { DefinitionStore, StoredDefinition } from '#libs/broker-ports';

/** What commands on stored users work on. */
export interface UserCommandsOptions {
  readonly users: Pick<DefinitionStore<StoredUser>, 'get' | 'page' | 'put' | 'remove'>;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** A page ends where it would be larger than an answer should. */
const PAGE_CHARACTERS_MAX = 4 * 1024 * 1024;

/** Stored users as the API sees them. */
export class UserCommands {
  readonly #options: UserCommandsOptions;

  constructor(options: UserCommandsOptions) {
    this.#options = options;
  }

  async users({ after, limit }: CommandOf<'users'>): Promise<NodeAnswers['users']> {
    const found = await this.#options.users.page({ after, limit: limit + 1 });
    const items: WireUser[] = [];
    let characters = 0;
    for (const stored of found.slice(0, limit)) {
      const user = wireUserOf(stored);
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
