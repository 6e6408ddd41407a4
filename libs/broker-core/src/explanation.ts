import type { DisconnectReason, HubClient } from '#libs/broker-ports';
import { REASON, type ReasonCode } from '#libs/mqtt-codec';
import type { Transport } from './transport.ts';

/** How a connection ended, for its session and the metrics. */
export interface ConnectionEnd {
  readonly initiator: 'client' | 'server' | 'network';
  readonly reason: DisconnectReason;
  /** Whether the will is due: not after a DISCONNECT that drops it [MQTT-3.14.4-3]. */
  readonly withWill: boolean;
  /** How long a will that is due is held back, for its client to come back. */
  readonly willHoldSeconds?: number;
}

/** What CONNACK and DISCONNECT say of a refusal. */
export interface Explanation {
  readonly reasonCode: ReasonCode;
  readonly properties?: { readonly reasonString?: string; readonly serverReference?: string };
}

/** A reason, and what MQTT 5 clients are told with it: in words only those that want it [MQTT-3.1.2-29]. */
export function explanationOf(
  reasonCode: ReasonCode,
  reasonString: string | undefined,
  reference: string | undefined,
): Explanation {
  const isReferral = reasonCode === REASON.useAnotherServer || reasonCode === REASON.serverMoved;
  const serverReference = isReferral ? reference : undefined;
  if (reasonString === undefined && serverReference === undefined) return { reasonCode };
  return {
    reasonCode,
    properties: {
      ...(reasonString !== undefined && { reasonString }),
      ...(serverReference !== undefined && { serverReference }),
    },
  };
}

/** A client as hooks see it, from its connection. */
export function hubClientOf(
  { transport }: { readonly transport: Transport },
  clientId: string,
  username: string | undefined,
): HubClient {
  const { listener, remoteAddress } = transport;
  return { clientId, username, listener, remoteAddress };
}
