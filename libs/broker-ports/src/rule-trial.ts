import type { InjectedMessage, Message } from './message.ts';

/** A consumed record for the dry run of a rule; its topic is that of the rule. */
export interface SampleRecord {
  readonly partition: number;
  /** A 64-bit integer in decimal. */
  readonly offset: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Readonly<Record<string, readonly Uint8Array[]>>;
  readonly timestampMs: number;
}

/** What the dry run of a rule takes: a message for rules from MQTT, a record for rules to it. */
export type RuleSample =
  | { readonly kind: 'message'; readonly message: Message; readonly username?: string | undefined }
  | { readonly kind: 'record'; readonly record: SampleRecord };

/** A record as a rule would send it. */
export interface TrialRecord {
  /** A Kafka topic, a path or an exchange. */
  readonly target: string;
  /** Where it goes on from there: the routing key of RabbitMQ. */
  readonly route: string | undefined;
  /** How its partition is chosen, or its number, modulo how many there are; undefined where there is no such thing. */
  readonly partition: 'key' | 'round-robin' | number | undefined;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string | Uint8Array | readonly string[]>>;
}

/**
 * What a rule would make of a sample.
 *
 * @remarks `unmatched`: it is not of the rule. `failed`: it can never be carried; `stage` names the field of the rule, or what is
 * wrong with the whole. `invalid`: there is no such rule, or it takes samples of the other kind.
 */
export type RuleTrial =
  | { readonly kind: 'record'; readonly record: TrialRecord }
  | { readonly kind: 'message'; readonly message: InjectedMessage }
  | { readonly kind: 'unmatched'; readonly by: 'filter' | 'where' }
  | {
      readonly kind: 'failed';
      readonly stage: string;
      readonly code: string;
      readonly detail: string;
      /** Characters of an expression up to and including what failed. */
      readonly position?: number | undefined;
    }
  | { readonly kind: 'invalid'; readonly detail: string };
