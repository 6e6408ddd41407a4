import type {
  ProblemCode,
  SubscribeResult,
  WantedSubscription,
  WireSubscriptionRequest,
} from '#libs/api-contracts';
import { ProblemError } from './http/problem-error.ts';

type Grant = Omit<SubscribeResult['items'][number], 'index'>;

/** Why a node refuses a subscription, by the reason code of its SUBACK. */
const REFUSALS: Readonly<Record<number, readonly [ProblemCode, string]>> = {
  0x80: ['storage-unavailable', 'The subscription could not be kept'],
  0x82: ['unprocessable', 'A shared subscription cannot have no_local'],
  0x87: ['topic-not-allowed', 'The access control does not let the client have it'],
  0x8f: ['invalid-filter', 'The broker takes no such filter, or only a client can ask for it'],
  0x97: ['limit-reached', 'The client, or its user, has as many subscriptions as it may'],
};

/** A subscription as nodes take it. */
export function wireSubscriptionOf(wanted: WantedSubscription): WireSubscriptionRequest {
  return {
    filter: wanted.filter,
    qos: wanted.qos,
    noLocal: wanted.no_local,
    retainAsPublished: wanted.retain_as_published,
    retainHandling: wanted.retain_handling,
    subscriptionIdentifier: wanted.subscription_identifier ?? 0,
  };
}

/** What became of a subscription, by the reason code of a SUBACK. */
export function presentGrant(filter: string, reasonCode: number): Grant {
  if (reasonCode === 0 || reasonCode === 1 || reasonCode === 2) {
    return { status: 200, filter, qos: reasonCode };
  }
  const [code, detail] = REFUSALS[reasonCode] ?? ['unprocessable', 'The broker refuses it'];
  const problem = new ProblemError(code, detail, { mqttReasonCode: reasonCode }).item();
  return { status: problem.status, filter, problem };
}
