import { banIdOf, banSubject, subjectOfBanId, type Ban } from '#libs/access';
import {
  meets,
  type BanAnswers,
  type BanCommand,
  type CommandOf,
  type NodeAnswers,
  type NodeCommand,
  type WireBan,
  type WireBanChange,
  type WireBanPut,
  type WireBanWish,
  type WireNewBan,
} from '#libs/api-contracts';
import type { Bans } from '#libs/broker-core';
import type { DefinitionStore, StoredDefinition } from '#libs/broker-ports';
import type { FlappingRules } from '../flapping-rules.ts';

/** What commands on bans work on. */
export interface BanCommandsOptions {
  readonly bans: Pick<Bans, 'add' | 'put' | 'refusalOf' | 'remove'> | undefined;
  readonly storedBans: Pick<DefinitionStore<Ban>, 'get' | 'page'>;
  readonly flapping: Pick<FlappingRules, 'current' | 'replace'>;
}

/** Bans read at a time when a list is filtered. */
const PAGE = 1_000;

/** Changes under way at a time: a round trip to the store takes them all along. */
const AT_ONCE = 50;

const KINDS: Readonly<Record<BanCommand['kind'], true>> = {
  ...{ bans: true, ban: true, 'change-bans': true, 'put-ban': true, 'remove-ban': true },
  ...{ flapping: true, 'put-flapping': true },
};

const FULL = { kind: 'full' } as const;

/** Who may not connect, as the API sees it. */
export class BanCommands {
  readonly #options: BanCommandsOptions;

  constructor(options: BanCommandsOptions) {
    this.#options = options;
  }

  /** Whether a command is one on bans. */
  static takes(this: void, command: NodeCommand): command is BanCommand {
    return command.kind in KINDS;
  }

  handle(command: BanCommand): Promise<BanAnswers[BanCommand['kind']]> {
    switch (command.kind) {
      case 'bans':
        return this.bans(command);
      case 'ban':
        return this.ban(command);
      case 'change-bans':
        return this.change(command);
      case 'put-ban':
        return this.put(command);
      case 'remove-ban':
        return this.remove(command);
      case 'flapping':
        return this.#options.flapping.current();
      case 'put-flapping':
        return this.putFlapping(command);
    }
  }

  async bans(command: CommandOf<'bans'>): Promise<NodeAnswers['bans']> {
    const { after, conditions } = command;
    const limit = Math.min(Math.max(command.limit, 1), PAGE);
    const items: WireBan[] = [];
    // There are limits.bansMax at most, so this ends.
    for (let from = after; items.length <= limit;) {
      const found = await this.#options.storedBans.page({ after: from, limit: PAGE });
      const wanted = found.map((each) => wireBanOf(each));
      items.push(...wanted.filter((ban) => meets(conditions, (field) => valueOf(ban, field))));
      from = found.at(-1)?.item.id;
      if (found.length < PAGE) break;
    }
    return { items: items.slice(0, limit), hasMore: items.length > limit };
  }

  async ban({ id }: CommandOf<'ban'>): Promise<NodeAnswers['ban']> {
    const stored = await this.#options.storedBans.get(id);
    return { ban: stored && wireBanOf(stored) };
  }

  async change({ wishes, dryRun }: CommandOf<'change-bans'>): Promise<NodeAnswers['change-bans']> {
    const changes: WireBanChange[] = [];
    for (const group of groupsOf(wishes)) {
      const made = group.map((wish) => (dryRun === true ? this.#try(wish) : this.#make(wish)));
      changes.push(...(await Promise.all(made)));
    }
    return { changes };
  }

  async put({ ban, revision }: CommandOf<'put-ban'>): Promise<WireBanPut> {
    const { bans } = this.#options;
    if (bans === undefined) return FULL;
    const result = await bans.put({ ...ban, by: 'admin', revision });
    return result.kind === 'stored' ? { kind: 'stored', ban: wireBanOf(result.stored) } : result;
  }

  async remove({ id, revision }: CommandOf<'remove-ban'>): Promise<NodeAnswers['remove-ban']> {
    const result = await this.#options.bans?.remove(id, revision);
    return { kind: result?.kind ?? 'absent' };
  }

  async putFlapping({
    settings,
    revision,
  }: CommandOf<'put-flapping'>): Promise<NodeAnswers['put-flapping']> {
    const result = await this.#options.flapping.replace(settings, revision);
    return result.kind === 'stored' ? result : { kind: 'conflict' };
  }

  async #make(wish: WireBanWish): Promise<WireBanChange> {
    const { bans } = this.#options;
    if (bans === undefined) return FULL;
    if (wish.kind === 'remove') {
      const { kind } = await bans.remove(wish.id, undefined);
      return { kind: kind === 'stored' ? 'removed' : 'absent', id: wish.id };
    }
    const result = await bans.add({ ...wish.ban, by: 'admin' });
    return 'stored' in result ? { kind: result.kind, ban: wireBanOf(result.stored) } : result;
  }

  /** What would come of it. */
  async #try(wish: WireBanWish): Promise<WireBanChange> {
    const { bans, storedBans } = this.#options;
    if (bans === undefined) return FULL;
    const id = idOf(wish);
    const refusal = wish.kind === 'add' ? bans.refusalOf({ ...wish.ban, by: 'admin' }) : undefined;
    if (refusal !== undefined) return refusal;
    if (id === undefined) return { kind: 'invalid' };
    const present = await storedBans.get(id);
    if (wish.kind === 'remove') return { kind: present === undefined ? 'absent' : 'possible', id };
    return present === undefined
      ? { kind: 'possible', id }
      : { kind: 'exists', ban: wireBanOf(present) };
  }
}

/** Groups of wishes that may be fulfilled at a time: none has two for the same ban. */
function* groupsOf(wishes: readonly WireBanWish[]): Generator<readonly WireBanWish[]> {
  let group: WireBanWish[] = [];
  let ids = new Set<string>();
  for (const wish of wishes) {
    const id = idOf(wish) ?? '';
    if (ids.has(id) || group.length === AT_ONCE) {
      yield group;
      group = [];
      ids = new Set();
    }
    group.push(wish);
    ids.add(id);
  }
  yield group;
}

function idOf(wish: WireBanWish): string | undefined {
  if (wish.kind === 'remove') return subjectOfBanId(wish.id) && wish.id;
  const subject = banSubject(wish.ban);
  return subject && banIdOf(subject);
}

function wireBanOf({ item, revision }: StoredDefinition<Ban>): WireBan {
  return { ...item, revision };
}

/** What filters compare with. */
function valueOf(ban: WireBan, field: string): string | number | undefined {
  switch (field) {
    case 'kind':
      return shownKindOf(ban);
    case 'until':
      return ban.untilMs;
    case 'created_at':
      return ban.createdAtMs;
    case 'value':
    case 'reason':
    case 'by':
      return ban[field];
    default:
      return undefined;
  }
}

function shownKindOf({ kind, value }: WireNewBan): string {
  if (kind !== 'address') return kind;
  return value.includes('/') ? 'cidr' : 'ip';
}
