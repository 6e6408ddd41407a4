import type { HubClient } from './hub.ts';
import type { Message, MessageIdentity } from './message.ts';

/** The will of a connection, as it is kept with the session so that another node can publish it. */
export interface StoredWill {
  readonly message: Pick<Message, 'topic' | 'payload' | 'qos' | 'retain' | 'properties'>;
  /** Fixed before the will is stored: whoever publishes it, and however often, does so under this identity. */
  readonly identity: MessageIdentity;
  /** Seconds between the end of the connection and the will; the end of the session cuts them short. */
  readonly delaySeconds: number;
  /**
   * The broker has ended the connection to have the client go elsewhere: whatever connection it makes before the will is due
   * cancels it.
   */
  readonly isHeld?: boolean;
  /** Whose will it is: hooks are asked about it when the will is published. */
  readonly client: HubClient;
}

/** What a session had of a will before it was taken. */
export interface FormerWill {
  readonly will: StoredWill;
  /** When it is due; 0 when its connection has not ended, as far as the store knows. */
  readonly dueAtMs: number;
}
