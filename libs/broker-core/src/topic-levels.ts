import type { NodePage, TopicLevelInfo, TopicLevelQuery } from '#libs/broker-ports';
import { SmallestItems } from './smallest-items.ts';

/** How many names of each kind are looked at for a page: some tens of milliseconds of work. */
const NAMES_MAX = 50_000;

interface Level {
  readonly topic: string;
  retainedMessages: number;
  filters: number;
  hasChildren: boolean;
}

/** Where the names come from. */
export interface TopicNames {
  /** Topics of retained messages that a filter matches. */
  readonly retained: (filter: string, limit: number) => readonly string[];
  /** The filters of subscriptions; nothing changes while they are looked at. */
  readonly filters: () => Iterable<string>;
}

/** The levels below a prefix, as a page of a list. `isWhole`: all names were looked at, so the counts are right. */
export function topicLevels(
  names: TopicNames,
  query: TopicLevelQuery,
): NodePage<TopicLevelInfo> & { readonly isWhole: boolean } {
  const { prefix, hasRetained, after, limit } = query;
  const levels = new Map<string, Level>();
  const retained = names.retained(prefix === undefined ? '#' : `${prefix}/#`, NAMES_MAX);
  for (const topic of retained) addLevels(levels, { name: topic, isRetained: true }, query);
  let left = NAMES_MAX;
  for (const filter of names.filters()) {
    if (left === 0) break;
    left -= 1;
    addLevels(levels, { name: filter, isRetained: false }, query);
  }
  const page = new SmallestItems<Level>(limit + 1, (a, b) => compareText(a.topic, b.topic));
  for (const level of levels.values()) {
    if (after !== undefined && level.topic <= after) continue;
    if (hasRetained !== undefined && hasRetained !== level.retainedMessages > 0) continue;
    page.add(level);
  }
  const items = page.sorted();
  const isWhole = left > 0 && retained.length < NAMES_MAX;
  return { items: items.slice(0, limit), hasMore: items.length > limit, isWhole };
}

/** Counts a name for each of the levels that leads to it, as far as they are wanted. */
function addLevels(
  levels: Map<string, Level>,
  { name, isRetained }: { readonly name: string; readonly isRetained: boolean },
  { prefix, depth }: TopicLevelQuery,
): void {
  if (prefix !== undefined && !name.startsWith(`${prefix}/`)) return;
  let end = prefix === undefined ? -1 : prefix.length;
  for (let below = 0; below < depth && end < name.length; below += 1) {
    const next = name.indexOf('/', end + 1);
    end = next === -1 ? name.length : next;
    const topic = name.slice(0, end);
    let level = levels.get(topic);
    if (level === undefined) {
      level = { topic, retainedMessages: 0, filters: 0, hasChildren: false };
      levels.set(topic, level);
    }
    if (isRetained) level.retainedMessages += 1;
    else level.filters += 1;
    if (end < name.length) level.hasChildren = true;
  }
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
