import { createRequire } from 'node:module';
import type { Message } from 'kafkajs';
import { encodeProduceRequest, type Encoded, type ProduceRequest } from './produce-request.ts';

const require = createRequire(import.meta.url);

/** What is used of the client's internal request queue, one per connection. */
interface RequestQueue {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

/** The client's door to one kind of request: for a version, what makes a request and reads its response. */
interface RequestDoor {
  protocol: (options: {
    readonly version: number;
  }) => (request: ProduceRequest) => RequestAndResponse;
}

interface RequestAndResponse {
  readonly request: { readonly apiVersion: number; encode(): Promise<Encoded> };
  readonly response: unknown;
}

const PENDING_CHECK_MS = 10;
/** The first version with the record format that the encoder writes. */
const RECORD_BATCHES_FROM = 3;

/**
 * Stops the client's endless check for pending requests: a timer of a millisecond that starts itself again on every idle
 * connection. Requests wait only when a broker throttles the client, so only then is there something to check.
 */
export function tameIdleCheck(): void {
  const queue = require('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueue };
  queue.prototype.scheduleCheckPendingRequests = function schedule(this: RequestQueue): void {
    if (this.pending.length === 0 || this.throttleCheckTimeoutId !== null) return;
    const waitMs = Math.max(this.throttledUntil - Date.now(), PENDING_CHECK_MS);
    this.throttleCheckTimeoutId = setTimeout(() => {
      this.throttleCheckTimeoutId = null;
      this.checkPendingRequests();
    }, waitMs);
  };
}

/**
 * Has produce requests encoded by ours: the client's own encoder makes a buffer of 512 bytes for each header of each record,
 * which takes more time than all else that a message costs. The bytes are the same.
 */
export function encodeFaster(): void {
  const door = require('kafkajs/src/protocol/requests/produce') as RequestDoor;
  const theirs = door.protocol;
  door.protocol = (options) => {
    const make = theirs(options);
    if (options.version < RECORD_BATCHES_FROM) return make;
    return (data) => {
      const made = make(data);
      if (data.transactionalId !== undefined) return made;
      return { ...made, request: { ...made.request, encode: () => encodeProduceRequest(data) } };
    };
  };
}

/**
 * Says that messages are all of one partition: the client sorts messages by partition with `reduce`, and copies all that it has
 * sorted for each of them.
 */
export function ofOnePartition(messages: Message[], partition: number): Message[] {
  return Object.assign(messages, { reduce: () => ({ [partition]: messages }) });
}
