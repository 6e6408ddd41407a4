import type { MessageIdentity } from '#libs/broker-ports';

/** Remembers the latest messages by their identity, up to a number of them. */
export class MessageMemory {
  readonly #names = new Set<string>();
  readonly #messagesMax: number;

  constructor(messagesMax: number) {
    this.#messagesMax = messagesMax;
  }

  /** Remembers a message; returns false when it was remembered already. */
  add(message: MessageIdentity): boolean {
    const name = nameOf(message);
    if (this.#names.has(name)) return false;
    this.#names.add(name);
    if (this.#names.size <= this.#messagesMax) return true;
    for (const oldest of this.#names) {
      this.#names.delete(oldest);
      break;
    }
    return true;
  }

  forget(message: MessageIdentity): void {
    this.#names.delete(nameOf(message));
  }
}

function nameOf({ source, sequence }: MessageIdentity): string {
  return `${source.nodeId}#${source.incarnation}/${sequence}`;
}
