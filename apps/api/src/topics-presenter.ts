import type {
  NodeAnswers,
  SharedGroupView,
  TopicLevelView,
  TopicMetricView,
  WireSharedSubscription,
  WireTopicMetric,
} from '#libs/api-contracts';
import { compareText, type Merged } from './cluster/merge.ts';

/** What a node has counted for a filter. */
export interface CountedAt {
  /** Empty where it is not to be named. */
  readonly node: string;
  readonly metric: WireTopicMetric;
}

/** The levels of all nodes: retained messages are the cluster's, subscriptions each node's own. */
export function mergeTopicLevels(
  pages: readonly NodeAnswers['topics'][],
  limit: number,
): Merged<TopicLevelView> {
  const levels = new Map<string, TopicLevelView>();
  for (const { topic, retainedMessages, filters, hasChildren } of pages.flatMap(itemsOf)) {
    const known = levels.get(topic);
    levels.set(topic, {
      topic,
      retained_messages: Math.max(retainedMessages, known?.retained_messages ?? 0),
      subscription_filters: filters + (known?.subscription_filters ?? 0),
      has_children: hasChildren || known?.has_children === true,
    });
  }
  const all = [...levels.values()].toSorted((a, b) => compareText(a.topic, b.topic));
  return part(all, limit, pages);
}

/** The groups of all nodes. */
export function mergeSharedGroups(
  pages: readonly NodeAnswers['shared-groups'][],
  limit: number,
): Merged<SharedGroupView> {
  const groups = new Map<string, Map<string, WireSharedSubscription>>();
  for (const { group, subscriptions } of pages.flatMap(itemsOf)) {
    const filters = groups.get(group) ?? new Map<string, WireSharedSubscription>();
    groups.set(group, filters);
    for (const each of subscriptions) filters.set(each.filter, sum(each, filters.get(each.filter)));
  }
  const strategy = pages[0]?.strategy ?? '';
  const all = [...groups]
    .toSorted(([a], [b]) => compareText(a, b))
    .map(([group, filters]) => presentGroup({ group, strategy }, [...filters.values()]));
  return part(all, limit, pages);
}

/** What all nodes have counted for a filter. */
export function presentTopicMetric(counts: readonly CountedAt[]): TopicMetricView {
  const [first] = counts;
  if (first === undefined) throw new TypeError('nobody has counted');
  const { id, filter, createdAtMs } = first.metric;
  const add = (valueOf: (metric: WireTopicMetric) => number): number =>
    counts.reduce((sum, { metric }) => sum + valueOf(metric), 0);
  const byQos = (field: 'messagesIn' | 'messagesOut') => {
    const [qos0, qos1, qos2] = [0, 1, 2].map((qos) => add((metric) => metric[field][qos] ?? 0));
    const counted = { qos0: qos0 ?? 0, qos1: qos1 ?? 0, qos2: qos2 ?? 0 };
    return { messages: counted.qos0 + counted.qos1 + counted.qos2, ...counted };
  };
  return {
    ...{ id, filter, created_at: new Date(createdAtMs).toISOString() },
    received: {
      ...byQos('messagesIn'),
      ...{ bytes: add(({ bytesIn }) => bytesIn) },
      per_second: add(({ inPerSecond }) => inPerSecond),
    },
    sent: {
      ...byQos('messagesOut'),
      ...{ bytes: add(({ bytesOut }) => bytesOut) },
      per_second: add(({ outPerSecond }) => outPerSecond),
    },
    dropped: {
      messages: add(({ dropped }) => dropped),
      per_second: add(({ droppedPerSecond }) => droppedPerSecond),
    },
    nodes: counts
      .filter(({ node }) => node !== '')
      .map(({ node, metric }) => ({
        node,
        counting_since: new Date(metric.sinceMs).toISOString(),
      })),
  };
}

function itemsOf<Item>({ items }: { readonly items: readonly Item[] }): readonly Item[] {
  return items;
}

function part<Item>(
  all: readonly Item[],
  limit: number,
  pages: readonly { readonly hasMore: boolean }[],
): Merged<Item> {
  const hasMore = all.length > limit || pages.some((page) => page.hasMore);
  return { items: all.slice(0, limit), hasMore };
}

function sum(
  one: WireSharedSubscription,
  other: WireSharedSubscription | undefined,
): WireSharedSubscription {
  if (other === undefined) return one;
  return {
    filter: one.filter,
    members: one.members + other.members,
    connected: one.connected + other.connected,
    lagMessages: one.lagMessages + other.lagMessages,
  };
}

function presentGroup(
  own: { readonly group: string; readonly strategy: string },
  subscriptions: readonly WireSharedSubscription[],
): SharedGroupView {
  const add = (field: 'members' | 'connected' | 'lagMessages'): number =>
    subscriptions.reduce((total, each) => total + each[field], 0);
  return {
    ...own,
    members: add('members'),
    connected_members: add('connected'),
    lag_messages: add('lagMessages'),
    subscriptions: subscriptions
      .toSorted((a, b) => compareText(a.filter, b.filter))
      .map(({ filter, members, connected, lagMessages }) => ({
        ...{ filter, members, connected_members: connected, lag_messages: lagMessages },
      })),
  };
}
