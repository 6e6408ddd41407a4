export { RedisClusterBus, type RedisClusterBusOptions } from './redis-cluster-bus.ts';
export { answerTo, type Control } from './control.ts';
export { ClusterView, type ClusterViewOptions, type MemberCommands } from './cluster-view.ts';
export {
  InboxConsumer,
  batchOf,
  type InboxCommands,
  type InboxConsumerOptions,
} from './inbox-consumer.ts';
export { OwnRoutes, type OwnRoutesOptions, type RouteCommands } from './own-routes.ts';
export { Requests, type RequestsOptions } from './requests.ts';
export type { StreamEntry } from './stream-entry.ts';
export { StreamReader, type StreamReaderOptions } from './stream-reader.ts';
export type { Timers } from './timers.ts';
export type { AnnounceResult, ListedMember } from './cluster-commands.ts';
