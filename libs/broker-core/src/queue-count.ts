/** A part of a queue. */
interface Part {
  messages: number;
  bytes: number;
}

/**
 * What is in the queue of a durable session.
 *
 * @remarks What was queued at this node is counted to the byte. Of what was found in the store, whose bytes are an estimate,
 * the mean is taken off for each message, so that the estimate ends with the last of them.
 */
export class QueueCount {
  readonly #own: Part = { messages: 0, bytes: 0 };
  readonly #found: Part = { messages: 0, bytes: 0 };
  /** The newest sequence among those found. */
  #foundUpTo = 0;

  get messages(): number {
    return this.#own.messages + this.#found.messages;
  }

  get bytes(): number {
    return this.#own.bytes + this.#found.bytes;
  }

  /** Goes on with the queue as the store has it. What was counted before is believed as to its bytes. */
  resume(queue: {
    readonly queueMessages: number;
    readonly queueBytes: number;
    readonly lastSequence: number;
  }): void {
    if (this.messages === 0) {
      this.#found.bytes = queue.queueBytes;
      this.#foundUpTo = queue.lastSequence;
    }
    this.#own.messages = Math.min(this.#own.messages, queue.queueMessages);
    this.#found.messages = queue.queueMessages - this.#own.messages;
    settleEmpty(this.#own);
    settleEmpty(this.#found);
  }

  add(bytes: number): void {
    this.#own.messages += 1;
    this.#own.bytes += bytes;
  }

  /** A message has left the queue, or never came into it. */
  remove({ sequence }: { readonly sequence: number }, bytes: number): void {
    const [own, found] = [this.#own, this.#found];
    const isFound = own.messages === 0 || (sequence <= this.#foundUpTo && found.messages > 0);
    const part = isFound ? found : own;
    if (part.messages === 0) return;
    part.bytes -= isFound ? part.bytes / part.messages : bytes;
    part.messages -= 1;
    settleEmpty(part);
  }
}

function settleEmpty(part: Part): void {
  part.bytes = part.messages === 0 ? 0 : Math.max(0, part.bytes);
}
