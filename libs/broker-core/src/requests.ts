import {
  PublishError,
  type AdminPublication,
  type AdminRequest,
  type AdminResponse,
  type InjectedMessage,
  type Message,
  type PendingRequest,
} from '#libs/broker-ports';
import type { Offer, Receiver } from './receiver.ts';
import { responseTopicOf } from './response-topic.ts';
import { isRoutesLate, type Router } from './router.ts';
import type { Subscription } from './subscription.ts';

/** How many requests of a node may wait for their answers. */
const REQUESTS_MAX = 1000;

/** What requests need of their node. */
export interface RequestsHost {
  readonly router: Router;
  readonly nodeId: () => string;
  readonly publish: (message: InjectedMessage, asClientId?: string) => Promise<AdminPublication>;
}

/**
 * Requests that an administrator sends to devices: a message with a response topic, and the first answer on it.
 *
 * @remarks The response topic is routed to this node as that of a client is, so the device may be at any node. It has one
 * receiver, which ends with the request.
 */
export class Requests {
  readonly #host: RequestsHost;
  #waiting = 0;

  constructor(host: RequestsHost) {
    this.#host = host;
  }

  /** Begins a request; whoever does so ends it, in time, if no answer comes. */
  begin(request: AdminRequest): PendingRequest {
    const receiver = new AnswerReceiver(request);
    return { outcome: this.#run(request, receiver), cancel: () => receiver.end(undefined) };
  }

  async #run(request: AdminRequest, receiver: AnswerReceiver): Promise<AdminResponse> {
    const { router, nodeId, publish } = this.#host;
    const { message, asClientId, responseTopic: named, token, correlationData } = request;
    if (this.#waiting >= REQUESTS_MAX) return { kind: 'overloaded' };
    if (router.countReceivers(message.topic) === 0) return { kind: 'no-subscribers' };
    const responseTopic = named ?? responseTopicOf(nodeId(), token);
    const subscription = subscriptionOf(receiver, responseTopic);
    this.#waiting += 1;
    router.add(subscription);
    try {
      // The answer may come from any node, so all of them must know where to.
      await router.announced().catch((error: unknown) => {
        if (!isRoutesLate(error)) throw error;
      });
      const properties = { ...message.properties, responseTopic, correlationData };
      const published = await publish({ ...message, properties }, asClientId);
      if (published.kind !== 'taken') return published;
      const response = await receiver.answer;
      if (response === undefined) return { kind: 'no-response' };
      return { kind: 'answered', identity: published.identity, response };
    } catch {
      const error = new PublishError('STORE_UNAVAILABLE', 'the response topic is not routed');
      return { kind: 'refused', error };
    } finally {
      router.remove(subscription);
      this.#waiting -= 1;
    }
  }
}

/** Takes the first answer to a request. */
class AnswerReceiver implements Receiver {
  readonly clientId = '';
  readonly backlog = 0;
  readonly durable = false;
  readonly arrivedAtMs = -Infinity;
  readonly answer: Promise<Message | undefined>;
  readonly #correlationData: Uint8Array;
  #settle: (answer: Message | undefined) => void = () => undefined;

  constructor({ correlationData }: AdminRequest) {
    this.#correlationData = correlationData;
    this.answer = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  deliver({ message }: Offer): void {
    const given = message.properties?.correlationData;
    // Devices before MQTT 5 have none to give back.
    if (given === undefined || areEqual(given, this.#correlationData)) this.end(message);
  }

  /** Ends the wait, with the answer or without; the first end counts. */
  end(answer: Message | undefined): void {
    this.#settle(answer);
  }
}

function subscriptionOf(entry: Receiver, filter: string): Subscription {
  return {
    entry,
    filter,
    qos: 2,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 2,
    subscriptionIdentifier: 0,
  };
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
