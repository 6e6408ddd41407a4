/**
 * Whom a new value concerns: everybody at once, or connections that come, since a client goes by what it was told when it
 * connected.
 */
export type HotReach = 'all' | 'new-connections';

const ALL = 'all';
const NEW = 'new-connections';

/** The keys that take another value while nodes run. All others want a restart. */
export const HOT_KEYS: ReadonlyMap<string, HotReach> = new Map<string, HotReach>([
  ['limits.packetBytesMax', NEW],
  ['limits.connectTimeoutMs', NEW],
  ['limits.keepAliveSecondsMax', NEW],
  ['limits.receiveMaximum', NEW],
  ['limits.inflightMax', NEW],
  ['limits.topicAliasMaximum', NEW],
  ['limits.topicAliasesSentMax', NEW],
  ['limits.queueMessagesMax', ALL],
  ['limits.queueBytesMax', ALL],
  ['limits.queueAgeSecondsMax', ALL],
  ['limits.sessionExpirySecondsMax', NEW],
  ['limits.persistentSessionMaxAgeSeconds', NEW],
  ['limits.subscriptionsMax', ALL],
  ['limits.clientIdBytesMax', NEW],
  ['limits.retainedMessagesMax', ALL],
  ['limits.retainedMessageBytesMax', ALL],
  ['limits.retainedBytesMax', ALL],
  ['limits.sessionsMax', ALL],
  ['limits.publishDeadlineMs', ALL],
  ['limits.socketBufferBytesMax', ALL],
  ['limits.unauthenticatedBytesMax', NEW],
  ['rates.client.messagesPerSecond', ALL],
  ['rates.client.bytesPerSecond', ALL],
  ['rates.user.messagesPerSecond', ALL],
  ['rates.user.bytesPerSecond', ALL],
  ['rates.burstSeconds', ALL],
  ['rates.heldSecondsMax', ALL],
  ['quotas.user.connectionsMax', NEW],
  ['quotas.user.sessionsMax', NEW],
  ['quotas.user.subscriptionsMax', NEW],
  ['quotas.user.retainedMessagesMax', NEW],
  ['quotas.user.queueBytesMax', NEW],
  ['overload.enabled', ALL],
  ['overload.loopDelayMs', ALL],
  ['overload.heapPercent', ALL],
  ['overload.redisDelayMs', ALL],
  ['overload.spoolPercent', ALL],
  ['overload.riseSeconds', ALL],
  ['overload.fallSeconds', ALL],
  ['drain.connectionsPerSecond', ALL],
  ['drain.durationSeconds', ALL],
  ['drain.deadlineSeconds', ALL],
  ['drain.serverReference', ALL],
  ['drain.willHoldSeconds', ALL],
  ['drain.lameDuckSeconds', ALL],
  ['delayed.secondsMax', ALL],
  ['delayed.messagesMax', ALL],
  ['delayed.bytesMax', ALL],
  ['topics.sysIntervalSeconds', ALL],
  ['log.level', ALL],
]);

/** Sections that hold hot keys. */
export const HOT_SECTIONS = [
  'limits',
  'rates',
  'quotas',
  'overload',
  'drain',
  'delayed',
  'topics',
  'log',
] as const;

/** A section that holds hot keys. */
export type HotSection = (typeof HOT_SECTIONS)[number];

/** What to do with a key that is not hot. */
export function otherWayOf(path: string): string {
  if (path.startsWith('flapping.')) return 'send PUT /api/v1/auto-bans/config';
  if (path.startsWith('listeners.'))
    return 'change a listener with /api/v1/listeners/{listener_id}';
  if (path === 'acl.rules') return 'use /api/v1/acl-rules';
  if (path === 'auth.users') return 'use /api/v1/users';
  if (path === 'bridges') return 'use /api/v1/bridges';
  if (path === 'bridgeRules') return 'use /api/v1/bridge-rules';
  return 'set it in the file or the environment of each process, and start these again';
}
