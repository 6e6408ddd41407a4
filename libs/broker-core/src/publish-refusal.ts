import type { Meter, PublishError } from '#libs/broker-ports';
import { REASON, type ReasonCode } from '#libs/mqtt-codec';

/** What a client is told of a message that was not taken, which is counted. */
export function refusalOf(error: PublishError, meter: Meter): ReasonCode {
  switch (error.code) {
    case 'NOT_AUTHORIZED':
      meter.publishRejected('acl');
      return REASON.notAuthorized;
    case 'BRIDGE_UNAVAILABLE':
      return REASON.implementationSpecificError;
    case 'QUOTA_EXCEEDED':
    case 'STORE_UNAVAILABLE':
      meter.publishRejected('quota');
      return REASON.quotaExceeded;
  }
}
