import type {
  NodePage,
  SharedGroupInfo,
  SharedGroupQuery,
  SharedMemberInfo,
} from '#libs/broker-ports';
import { parseShare } from '#libs/topic-index';
import type { SessionEntry } from './session-entry.ts';
import type { ShareGroup } from './share-group.ts';

/** Members whose queues are added up for a page; of larger groups the lag is that of so many. */
const MEMBERS_LOOKED_AT = 20_000;

/** What shared subscriptions are read from. */
export interface SharedGroupSource {
  readonly groups: () => Iterable<ShareGroup>;
  readonly entryOf: (clientId: string) => SessionEntry | undefined;
}

/** A page of groups, in the order of their names. */
export function sharedGroups(
  source: SharedGroupSource,
  { group: only, after, limit }: SharedGroupQuery,
): NodePage<SharedGroupInfo> {
  const byName = new Map<string, ShareGroup[]>();
  for (const each of source.groups()) {
    const name = parseShare(each.filter)?.group;
    if (name === undefined || each.size === 0) continue;
    if (only !== undefined && name !== only) continue;
    if (after !== undefined && name <= after) continue;
    const known = byName.get(name);
    if (known === undefined) byName.set(name, [each]);
    else known.push(each);
  }
  const names = [...byName.keys()].toSorted();
  let left = MEMBERS_LOOKED_AT;
  const items = names.slice(0, limit).map((group) => ({
    group,
    subscriptions: (byName.get(group) ?? []).map((each) => {
      let lagMessages = 0;
      for (const { clientId } of each.receivers()) {
        if (left === 0) break;
        left -= 1;
        lagMessages += lagOf(source.entryOf(clientId));
      }
      return {
        filter: plainOf(each),
        members: each.size,
        connected: each.connected,
        lagMessages,
      };
    }),
  }));
  return { items, hasMore: names.length > limit };
}

/** The members of a group, at most so many. */
export function sharedMembers(
  source: SharedGroupSource,
  group: string,
  limit: number,
): readonly SharedMemberInfo[] {
  const members: SharedMemberInfo[] = [];
  for (const each of source.groups()) {
    if (parseShare(each.filter)?.group !== group) continue;
    for (const { clientId } of each.receivers()) {
      if (members.length === limit) return members;
      const entry = source.entryOf(clientId);
      if (entry === undefined) continue;
      members.push({
        filter: plainOf(each),
        clientId,
        isConnected: entry.connection !== undefined,
        queueMessages: queuedOf(entry),
        inflightMessages: entry.session.outbound.inflightCount,
      });
    }
  }
  return members;
}

function plainOf({ filter }: ShareGroup): string {
  return parseShare(filter)?.filter ?? filter;
}

function queuedOf({ durable, queueMessages, session }: SessionEntry): number {
  return durable ? queueMessages : session.outbound.queueCount;
}

function lagOf(entry: SessionEntry | undefined): number {
  if (entry === undefined) return 0;
  // What is unacknowledged is still in the queue of a session that is stored.
  return entry.durable
    ? entry.queueMessages
    : queuedOf(entry) + entry.session.outbound.inflightCount;
}
