import type { Message, MessageTap } from '#libs/broker-ports';
import { TopicTrie } from '#libs/topic-index';

/** Who looks at the messages that this node takes. While there is nobody, a message costs one comparison. */
export class Taps {
  readonly #trie = new TopicTrie<MessageTap>();
  #found: MessageTap[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Looks at messages whose topic a filter matches, until the returned function is called. */
  add(filter: string, tap: MessageTap): () => void {
    // One filter may have equal taps.
    const own: MessageTap = (message) => tap(message);
    this.#trie.add(filter, own);
    this.#size += 1;
    let isThere = true;
    return () => {
      if (!isThere) return;
      isThere = false;
      this.#trie.remove(filter, own);
      this.#size -= 1;
    };
  }

  /** Shows a message to whoever wants to see it. */
  show(message: Message): void {
    const found = this.#found;
    this.#trie.match(message.topic, found);
    for (const tap of found) tap(message);
    found.length = 0;
  }
}
