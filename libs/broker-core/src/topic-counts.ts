import type { TopicTally } from '#libs/broker-ports';
import { TopicTrie } from '#libs/topic-index';

/**
 * Counts messages of the topics that some filters match.
 *
 * @remarks While there is no filter, callers compare {@link TopicCounts.size} with 0 and pay nothing else; with some, a message costs a
 * look-up in their index and additions, and makes nothing.
 */
export class TopicCounts {
  readonly #trie = new TopicTrie<TopicTally>();
  #found: TopicTally[] = [];
  #size = 0;

  /** How many filters are counted. */
  get size(): number {
    return this.#size;
  }

  /** Counts what a filter matches into a tally, until the returned function is called. */
  add(filter: string, tally: TopicTally): () => void {
    this.#trie.add(filter, tally);
    this.#size += 1;
    let isThere = true;
    return () => {
      if (!isThere) return;
      isThere = false;
      this.#trie.remove(filter, tally);
      this.#size -= 1;
    };
  }

  /** A message went to a client. */
  sent(topic: string, qos: 0 | 1 | 2, bytes: number): void {
    const found = this.#match(topic);
    for (const tally of found) {
      tally.messagesOut[qos] += 1;
      tally.bytesOut += bytes;
    }
    found.length = 0;
  }

  /** A message was not delivered to somebody who was subscribed. */
  dropped(topic: string): void {
    const found = this.#match(topic);
    for (const tally of found) tally.dropped += 1;
    found.length = 0;
  }

  #match(topic: string): TopicTally[] {
    this.#trie.match(topic, this.#found);
    return this.#found;
  }
}
