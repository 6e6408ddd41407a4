import type { Meter, PublishDone, PublishError } from '#libs/broker-ports';
import { REASON, type ReasonCode } from '#libs/mqtt-codec';
import type { PublishAck } from '#libs/mqtt-engine';

/** What a client is told of a message that was not taken, which is counted. */
function refusalOf(error: PublishError, meter: Meter): ReasonCode {
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

/** Answers a client when it is known what became of its message. */
export function acknowledging(
  ack: PublishAck,
  { meter, nowMs }: { readonly meter: Meter; readonly nowMs: () => number },
): PublishDone {
  return (error) => {
    meter.publishAcknowledged(ack.qos, (nowMs() - ack.startedAtMs) / 1000);
    if (error === undefined) return ack.complete(REASON.success);
    // What goes on behind the node is none of a client's business.
    const isOwn = error.code === 'QUOTA_EXCEEDED';
    ack.complete(refusalOf(error, meter), isOwn ? error.message : undefined);
  };
}
