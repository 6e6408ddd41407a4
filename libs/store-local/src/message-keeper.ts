import type { Message } from '#libs/broker-ports';
import { withOwnBytes } from '#libs/mqtt-codec';

/** A view may pin this many bytes of the received chunk besides its own. */
const SLACK_BYTES = 512;

/**
 * Makes messages fit to be kept: bytes that are a small view of a large chunk are copied, or each would pin its chunk.
 *
 * @remarks A message that is kept in many queues in a row is copied once.
 */
export class MessageKeeper {
  #last: Message | undefined;
  #kept: Message | undefined;

  keep(message: Message): Message {
    if (message === this.#last && this.#kept !== undefined) return this.#kept;
    this.#last = message;
    this.#kept = ownBytes(message);
    return this.#kept;
  }
}

function ownBytes(message: Message): Message {
  const { payload, properties } = message;
  const correlationData = properties?.correlationData;
  if (!isPinning(payload) && !(correlationData && isPinning(correlationData))) return message;
  const kept = { ...message, payload: new Uint8Array(payload) };
  return properties === undefined ? kept : { ...kept, properties: withOwnBytes(properties) };
}

function isPinning(bytes: Uint8Array): boolean {
  return bytes.buffer.byteLength > bytes.byteLength * 2 + SLACK_BYTES;
}
