export type { FlappingSettings } from './abuse/flapping.ts';
export {
  OverloadController,
  type LoadSample,
  type OverloadChange,
  type OverloadSettings,
} from './abuse/overload.ts';
export { Pace, Throttle, type RateLimits, type RateParts } from './abuse/throttle.ts';
export type { UserQuotas } from './abuse/user-accounts.ts';
export type { AccessParts, DeniedPublish } from './access-parts.ts';
export {
  Bans,
  type BansParts,
  type BanChange,
  type BanParts,
  type BanRefusal,
  type BanResult,
  type NewBan,
} from './bans.ts';
export { BrokerNode } from './broker-node.ts';
export type { CoreLimits } from './limits.ts';
export type { DelayedParts, NodeParts } from './parts.ts';
export { isWantedSubscription } from './session-listing.ts';
export { Shedding, type ShedConnection, type ShedPlan, type ShedProgress } from './shedding.ts';
export type { ShareStrategy } from './share-group.ts';
export {
  Tracing,
  type AddressTest,
  type TraceOutput,
  type TraceRecord,
  type TraceWanted,
  type TracedClient,
  type TracedDecision,
  type TracedEnd,
  type TracedInbound,
  type TracedLink,
  type TracedNames,
  type TracedSession,
} from './tracing.ts';
export type { RewriteAction, RewriteRule } from './naming/topic-rewriter.ts';
export type { AutoSubscription, TopicSettings } from './topic-settings.ts';
export type { ClientCertificate, Transport, TransportEvents } from './transport.ts';
