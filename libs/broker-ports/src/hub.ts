import type { QoS } from '#libs/mqtt-codec';
import type { InjectedMessage, Message } from './message.ts';

/** A connected client as hooks see it. */
export interface HubClient {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly listener: string;
  readonly remoteAddress: string;
}

/** Tells the result of a publish: undefined when every obligation is met. Called exactly once. */
export type PublishDone = (error?: PublishError) => void;

/** Why a publish could not be taken: the engine maps it to a reason code or a closed connection. */
export class PublishError extends Error {
  override readonly name = 'PublishError';
  readonly code: 'STORE_UNAVAILABLE' | 'QUOTA_EXCEEDED' | 'BRIDGE_UNAVAILABLE' | 'NOT_AUTHORIZED';

  constructor(code: PublishError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** What the hub asks of the node's core. */
export interface HubHandler {
  /** Serves every receiver of the message and calls done when responsibility is taken. */
  route(message: Message, done: PublishDone): void;
  /** Keeps (or removes) the topic's retained message. */
  retain(message: Message, done: PublishDone): void;
  /** Gives identity and time to a message that a plugin of the hub publishes by itself. */
  identify(message: InjectedMessage): Message;
}

/** The verdict of an authentication hook. */
export type Authentication = 'allowed' | 'denied' | 'error';

/**
 * The publish pipeline of a node: hooks and obligations in one place.
 *
 * @remarks All obligations of a message begin synchronously in publish(), in the order of arrival, and are
 * awaited together: messages of one publisher cannot overtake each other.
 */
export interface Hub {
  /** Gives the one that carries out what the pipeline decides; once, before the first publish. */
  attach(handler: HubHandler): void;
  /** Asks the hub's authentication hook; `done` is called exactly once. */
  authenticate(
    client: HubClient,
    password: Uint8Array | undefined,
    done: (verdict: Authentication) => void,
  ): void;
  /** Asks the hub's subscription hook: `done` gets the QoS granted, or undefined when refused. */
  authorizeSubscribe(
    client: HubClient,
    request: { readonly filter: string; readonly qos: QoS },
    done: (granted: QoS | undefined) => void,
  ): void;
  /**
   * Asks the hub's publish hook only: `done` gets NOT_AUTHORIZED, or nothing when the client may publish the message. No
   * client may publish to `$SYS/`, whatever the hook says.
   */
  authorizePublish(message: Message, client: HubClient, done: PublishDone): void;
  /** Publishes what a client, or with undefined the broker itself, has sent. A client's message passes the publish hook first. */
  publish(message: Message, client: HubClient | undefined, done: PublishDone): void;
  /** A client has got its CONNACK; plugins of the hub see it. */
  register(client: HubClient): void;
  /** Forgets a client that has gone. */
  unregister(client: HubClient): void;
  /** Ends the pipeline. */
  close(): Promise<void>;
}
