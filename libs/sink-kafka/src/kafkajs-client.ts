import kafkajs from 'kafkajs';
import { SinkError } from '#libs/bridge';
import type { Log } from '#libs/broker-ports';
import { installCodecs } from './compression.ts';
import { encodeFaster, tameIdleCheck } from './kafkajs-mends.ts';

tameIdleCheck();
encodeFaster();
installCodecs();

/** How to make a client. */
export interface ClientOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** How to connect and to log in. */
  readonly access: Pick<kafkajs.KafkaConfig, 'socketFactory' | 'sasl'>;
  readonly ruleId: string;
  readonly log: Log;
}

/** How long any request may take. */
export const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Makes a client that retries as little as it can be told to: the bridge's own loops keep the order, which the client's do not.
 *
 * @remarks Its log goes to debug: it calls every failed attempt an error, while the bridge logs each change once.
 */
export function kafkajsClient(options: ClientOptions): kafkajs.Kafka {
  const { log, ruleId } = options;
  return new kafkajs.Kafka({
    brokers: [...options.brokers],
    clientId: options.clientId,
    ...options.access,
    connectionTimeout: 3_000,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // The least that the idempotent producer accepts.
    retry: { retries: 1, initialRetryTime: 100, maxRetryTime: 500 },
    logLevel: kafkajs.logLevel.WARN,
    logCreator:
      () =>
      ({ namespace, log: { message } }) =>
        log.debug('kafka-client', { rule: ruleId, part: namespace, message }),
  });
}

const CODES: Readonly<Record<string, SinkError['code']>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'UNKNOWN_TARGET',
  MESSAGE_TOO_LARGE: 'TOO_LARGE',
  RECORD_LIST_TOO_LARGE: 'TOO_LARGE',
  TOPIC_AUTHORIZATION_FAILED: 'NOT_AUTHORIZED',
  CLUSTER_AUTHORIZATION_FAILED: 'NOT_AUTHORIZED',
  INVALID_TOPIC_EXCEPTION: 'REJECTED',
  INVALID_TIMESTAMP: 'REJECTED',
  INVALID_RECORD: 'REJECTED',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'REJECTED',
  POLICY_VIOLATION: 'REJECTED',
};

/** What a failure of the client means. */
export interface ClientFailure {
  readonly error: SinkError;
  /** Whether the client itself may be spoiled, so that asking it again would not help. */
  readonly spoiled: boolean;
}

/** Reads the first cause of a failure: the client wraps it once for every loop it went through. */
export function clientFailure(failure: unknown): ClientFailure {
  let cause = failure;
  while (cause instanceof Error && cause.cause instanceof Error && cause.cause !== cause) {
    cause = cause.cause;
  }
  const message = cause instanceof Error ? cause.message : String(cause);
  const { type, retriable } = (cause ?? {}) as {
    readonly type?: unknown;
    readonly retriable?: unknown;
  };
  const code = typeof type === 'string' ? CODES[type] : undefined;
  return {
    error: new SinkError(code ?? 'UNAVAILABLE', message),
    // A deleted topic stays in the client's metadata requests and fails them all; lost sequence numbers never come back.
    spoiled: code === 'UNKNOWN_TARGET' || (code === undefined && retriable !== true),
  };
}
