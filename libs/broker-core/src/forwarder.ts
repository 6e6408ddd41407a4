import { PublishError, type Message, type NodeRef } from '#libs/broker-ports';
import { isSameNode } from '#libs/cluster';
import { Obligations } from './obligations.ts';
import type { Outbox } from './outbox.ts';
import type { NodeParts } from './parts.ts';
import type { Router } from './router.ts';
import type { Sessions } from './sessions.ts';

/** A message for one session, and the obligation to hand it over. */
export interface Letter {
  readonly clientId: string;
  /** The node that has the session, if that is known without a look into the store. */
  readonly owner?: NodeRef | undefined;
  readonly message: Message;
  readonly obligations: Obligations;
  /** Nodes that have the message already: a session that is at one of them needs no letter. */
  readonly served?: readonly NodeRef[];
}

type Found = Awaited<ReturnType<Sessions['find']>>;

interface ForwarderOwn {
  readonly router: Router;
  readonly sessions: Sessions;
  readonly outbox: Outbox;
  /** Runs a function when what has failed is tried again; returns false when the node leaves, and nothing is. */
  readonly retryLater: (run: () => void) => boolean;
}

/** Gets messages to sessions that this node has lost, or is about to take. */
export class Forwarder {
  readonly #parts: Pick<NodeParts, 'bus' | 'meter'>;
  readonly #own: ForwarderOwn;
  /** By client, what waits for a look into the store: one look serves all that have come by its end. */
  readonly #waiting = new Map<string, Letter[]>();

  constructor(parts: Pick<NodeParts, 'bus' | 'meter'>, own: ForwarderOwn) {
    this.#parts = parts;
    this.#own = own;
  }

  /**
   * Gets a message to a session as soon as it is somewhere: this node or another may be about to take it. Ends the
   * obligation.
   */
  follow(letter: Letter): void {
    const { clientId, message, obligations } = letter;
    const { router, retryLater } = this.#own;
    const awaitsArrival = router.awaitArrival(clientId, (entry) => {
      if (entry === undefined) return this.follow(letter);
      router.routeToSession(message, entry, obligations);
      obligations.end();
    });
    if (awaitsArrival) return;
    const attempt = new Obligations((error) => {
      const isRetried = error !== undefined && retryLater(() => this.follow(letter));
      if (!isRetried) obligations.end(error);
    });
    this.#forward({ ...letter, obligations: attempt });
  }

  #forward(letter: Letter): void {
    const { clientId, owner } = letter;
    if (owner !== undefined) return this.#send(letter, owner);
    const waiting = this.#waiting.get(clientId);
    if (waiting !== undefined) return void waiting.push(letter);
    const letters = [letter];
    this.#waiting.set(clientId, letters);
    void this.#own.sessions
      .find(clientId)
      .catch(() => undefined)
      .then((found) => {
        this.#waiting.delete(clientId);
        for (const each of letters) this.#deliver(each, found);
      });
  }

  /** @param found - undefined when the store did not answer. */
  #deliver(letter: Letter, found: Found | undefined): void {
    const { message, obligations, served = [] } = letter;
    const { record, entry } = found ?? {};
    if (found !== undefined && record === undefined) {
      this.#parts.meter.deliveryDropped('session_gone', 1);
      return obligations.end();
    }
    if (record !== undefined && !isSameNode(record.owner, this.#parts.bus.self)) {
      const isServed = served.some((node) => isSameNode(node, record.owner));
      return isServed ? obligations.end() : this.#send(letter, record.owner);
    }
    // Another task may have let it go since it was found.
    if (entry?.isGone !== false) {
      const error = new PublishError('STORE_UNAVAILABLE', 'the owner of a session is not known');
      return obligations.end(error);
    }
    this.#own.router.routeToSession(message, entry, obligations);
    obligations.end();
  }

  #send({ clientId, message, obligations }: Letter, owner: NodeRef): void {
    this.#own.outbox.directed(owner, { clientId, message }, obligations);
    obligations.end();
  }
}
