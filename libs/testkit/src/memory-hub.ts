import {
  PublishError,
  type Authentication,
  type Hub,
  type HubClient,
  type HubHandler,
  type Message,
  type PublishDone,
} from '#libs/broker-ports';
import type { QoS } from '#libs/mqtt-codec';

/** A hub without plugins: its hooks are functions that a test may replace. */
export class MemoryHub implements Hub {
  /** The verdict on a CONNECT. */
  authentication: (client: HubClient, password: Uint8Array | undefined) => Authentication = () =>
    'allowed';
  /** The QoS granted; undefined refuses. */
  granted: (filter: string, qos: QoS) => QoS | undefined | Promise<QoS | undefined> = (_, qos) =>
    qos;
  /** Whether a publish passes. */
  mayPublish: (message: Message) => boolean = () => true;
  /** The client ids of those that are connected. */
  readonly registered = new Set<string>();
  #handler: HubHandler | undefined;

  attach(handler: HubHandler): void {
    this.#handler = handler;
  }

  authenticate(
    client: HubClient,
    password: Uint8Array | undefined,
    done: (verdict: Authentication) => void,
  ): void {
    done(this.authentication(client, password));
  }

  authorizeSubscribe(
    _client: HubClient,
    request: { readonly filter: string; readonly qos: QoS },
    tell: (granted: QoS | undefined) => void,
  ): void {
    const granted = this.granted(request.filter, request.qos);
    if (granted instanceof Promise) void granted.then(tell);
    else tell(granted);
  }

  authorizePublish(message: Message, _client: HubClient, done: PublishDone): void {
    const isAllowed = this.mayPublish(message) && !message.topic.startsWith('$SYS/');
    done(isAllowed ? undefined : new PublishError('NOT_AUTHORIZED', 'denied'));
  }

  publish(message: Message, client: HubClient | undefined, done: PublishDone): void {
    const handler = this.#handler;
    if (handler === undefined) return done();
    const isReserved = client !== undefined && message.topic.startsWith('$SYS/');
    if (isReserved || !this.mayPublish(message)) {
      return done(new PublishError('NOT_AUTHORIZED', 'denied'));
    }
    let left = message.retain ? 2 : 1;
    let failure: PublishError | undefined;
    const end: PublishDone = (error) => {
      failure ??= error;
      left -= 1;
      if (left === 0) done(failure);
    };
    if (message.retain) handler.retain(message, end);
    handler.route(message, end);
  }

  register(client: HubClient): void {
    this.registered.add(client.clientId);
  }

  unregister(client: HubClient): void {
    this.registered.delete(client.clientId);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
