export { Fifo } from './fifo.ts';
export { Inbound, type InboundTerms, type StoredReceipts } from './inbound.ts';
export type { EngineLimits } from './limits.ts';
export { OPEN_RULES, type ListenerRules } from './listener-rules.ts';
export {
  capExpiry,
  negotiate,
  takesConnack,
  type ConnectOffer,
  type ConnectionTerms,
  type Negotiation,
} from './negotiate.ts';
export {
  Outbound,
  READ_AHEAD_MESSAGES,
  type Delivery,
  type Inflight,
  type OutboundTerms,
} from './outbound.ts';
export type {
  EngineDropReason,
  EngineObserver,
  Load,
  Position,
  PublishAck,
  SessionOutput,
} from './session-output.ts';
export { Session, type StoredState } from './session.ts';
export type { SentAlias } from './sent-aliases.ts';
export {
  SharedPublish,
  type DeliveryForm,
  type OutboundMessage,
  type SentTrace,
} from './shared-publish.ts';
