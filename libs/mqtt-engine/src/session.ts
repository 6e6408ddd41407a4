import { REASON, type Packet, type ReasonCode } from '#libs/mqtt-codec';
import { Inbound } from './inbound.ts';
import type { EngineLimits } from './limits.ts';
import { OPEN_RULES } from './listener-rules.ts';
import { capExpiry, type ConnectionTerms } from './negotiate.ts';
import { Outbound } from './outbound.ts';
import type { SessionOutput } from './session-output.ts';

/** What a durable session brings along from its store. */
export interface StoredState {
  readonly receivedPacketIds: readonly number[];
  readonly receiving: readonly { readonly packetId: number }[];
  readonly releasedPacketIds: readonly number[];
  readonly lastSequence: number;
}

/**
 * The rules of one session: packets, completions and deliveries in, effects out.
 *
 * @remarks Synchronous and free of clocks: time comes in with each call. It lives as long as its client's session
 * and is attached to one connection at a time.
 */
export class Session {
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  readonly #output: SessionOutput;
  readonly #limits: EngineLimits;
  #terms: ConnectionTerms | undefined;

  constructor(output: SessionOutput, limits: EngineLimits) {
    this.#output = output;
    this.#limits = limits;
    this.inbound = new Inbound(output);
    this.outbound = new Outbound(output, limits);
  }

  /** The terms of the current connection; undefined while the client is away. */
  get terms(): ConnectionTerms | undefined {
    return this.#terms;
  }

  /**
   * Begins a connection: CONNACK is the first packet [MQTT-3.2.0-1], then what is unacknowledged.
   *
   * @param stored - given when the session is kept in a store, be it only because an earlier connection wanted it.
   */
  attach(terms: ConnectionTerms, sessionPresent: boolean, stored: StoredState | undefined): void {
    this.#terms = terms;
    this.#output.send({
      kind: 'connack',
      sessionPresent,
      reasonCode: REASON.success,
      ...(terms.connackProperties && { properties: terms.connackProperties }),
    });
    const inbound = {
      reasonCodes: terms.version === 5,
      reasonStrings: terms.problemInformation,
      payloadFormatCheck: terms.rules.payloadFormatCheck,
      receiveMaximum: this.#limits.receiveMaximum,
      topicAliasMaximum: this.#limits.topicAliasMaximum,
    };
    this.inbound.attach(inbound, stored);
    this.outbound.attach(terms, stored);
  }

  /** Ends a connection. */
  detach(): void {
    this.#terms = undefined;
    this.inbound.detach();
    this.outbound.detach();
  }

  /** Carries out the rule for one packet of the client. */
  handle(packet: Packet, nowMs: number): void {
    switch (packet.kind) {
      case 'publish':
        return this.#publish(packet, nowMs);
      case 'puback':
        return this.outbound.puback(packet.packetId, nowMs);
      case 'pubrec':
        return this.outbound.pubrec(packet.packetId, packet.reasonCode, nowMs);
      case 'pubrel':
        return this.inbound.release(packet.packetId);
      case 'pubcomp':
        return this.outbound.pubcomp(packet.packetId, nowMs);
      case 'subscribe':
        return this.#output.subscribe(packet);
      case 'unsubscribe':
        return this.#output.unsubscribe(packet);
      case 'pingreq':
        return this.#output.send({ kind: 'pingresp' });
      case 'disconnect':
        return this.#disconnect(packet);
      case 'connect':
        return this.#refuse('a second CONNECT [MQTT-3.1.0-2]');
      case 'auth':
        return this.#refuse('AUTH without enhanced authentication');
      case 'connack':
      case 'suback':
      case 'unsuback':
      case 'pingresp':
        return this.#refuse(`${packet.kind} from a client`);
    }
  }

  /**
   * Answers a SUBSCRIBE, one reason per filter in its order [MQTT-3.9.3-1].
   *
   * @param reason - why a filter is refused, for clients that want to know in words.
   */
  subscribed(packetId: number, reasonCodes: readonly ReasonCode[], reason?: string): void {
    if (this.#terms === undefined) return;
    const isTold = reason !== undefined && this.#terms.problemInformation;
    const properties = isTold ? { properties: { reasonString: reason } } : {};
    this.#output.send({ kind: 'suback', packetId, reasonCodes, ...properties });
  }

  /** Answers an UNSUBSCRIBE. */
  unsubscribed(packetId: number, reasonCodes: readonly ReasonCode[]): void {
    if (this.#terms !== undefined) this.#output.send({ kind: 'unsuback', packetId, reasonCodes });
  }

  #publish(packet: Extract<Packet, { kind: 'publish' }>, nowMs: number): void {
    const { qosMax = 2, retain = true } = this.#terms?.rules ?? {};
    if (packet.properties?.subscriptionIdentifiers !== undefined) {
      return this.#refuse('a subscription identifier from a client [MQTT-3.3.4-6]');
    }
    if (packet.qos > qosMax) {
      return this.#output.close(REASON.qosNotSupported, 'a QoS above Maximum QoS [MQTT-3.2.2-11]');
    }
    if (packet.retain && !retain) {
      return this.#output.close(
        REASON.retainNotSupported,
        'RETAIN is not available [MQTT-3.2.2-14]',
      );
    }
    this.inbound.publish(packet, nowMs);
  }

  #disconnect(packet: Extract<Packet, { kind: 'disconnect' }>): void {
    const expiry = packet.properties?.sessionExpiryInterval;
    if (expiry !== undefined && expiry > 0 && this.#terms?.durable === false) {
      return this.#refuse('DISCONNECT may not make a session durable');
    }
    const rules = this.#terms?.rules ?? OPEN_RULES;
    const seconds = expiry === undefined ? undefined : capExpiry(expiry, this.#limits, rules);
    this.#output.disconnected(packet.reasonCode !== REASON.success, seconds);
  }

  #refuse(detail: string): void {
    this.#output.close(REASON.protocolError, detail);
  }
}
