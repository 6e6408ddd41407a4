import type { Scope } from '../harness/scope.ts';

/** A message to publish. */
export interface Outgoing {
  readonly topic: string;
  readonly text: string;
  readonly qos: 0 | 1 | 2;
  readonly retain?: boolean;
  readonly user?: readonly (readonly [name: string, value: string])[];
}

/** How a client connects. */
export interface Connecting {
  /** MQTT 3.1, 3.1.1 or 5.0. */
  readonly level: 3 | 4 | 5;
  readonly will?: Outgoing;
}

/** A client that has subscribed. */
export interface Subscriber {
  /** What has come, as in `a/b q1 r0 text`, and `user name=value` after a message that has user properties. */
  readonly lines: readonly string[];
  /** Ends it without a word. */
  kill(): Promise<void>;
}

/** A client library or program of somebody else. */
export interface InteropClient {
  readonly name: string;
  /** Publishes messages on one connection, as far as the client can, and waits until they are acknowledged. */
  publish(
    scope: Scope,
    port: number,
    what: Connecting & { readonly messages: readonly Outgoing[] },
  ): Promise<void>;
  /** Subscribes to one filter and waits for SUBACK. */
  subscribe(
    scope: Scope,
    port: number,
    what: Connecting & { readonly filter: string; readonly qos: 0 | 1 | 2 },
  ): Promise<Subscriber>;
}
