import type { Receiver } from './receiver.ts';
import type { Expectation } from './router.ts';
import type { PendingWill, WillHolder } from './wills.ts';

/** A session of which this node does not know who has it. */
interface Doubt {
  /** Routes that stay until that is known. */
  readonly kept: Expectation[];
  /** The newest epoch under which it was this node's, if it was; nobody but the store can say more of a take that has failed. */
  epoch: number;
  /** What there is to be published later of the will of its last connection, as far as this node knows. */
  will: PendingWill | undefined;
  /** When the store is asked: with the next sweep, after the next one, or it is being asked. */
  state: 'young' | 'due' | 'asked';
}

/**
 * Sessions that may or may not be this node's: those that it has released, until another node has taken them; and those
 * whose take has failed here, which the store may have given to this node, to another one, or to none.
 *
 * @remarks Until that is known this node is routed to for them. Otherwise nobody would be, should nobody have taken them.
 */
export class DoubtfulSessions {
  readonly #doubts = new Map<string, Doubt>();
  #isClosed = false;

  /** This node has let a session go for another one to take. */
  released({ clientId, epoch, will }: WillHolder, kept: Expectation): void {
    const doubt = this.#open(clientId, 'young');
    doubt.kept.push(kept);
    doubt.epoch = Math.max(doubt.epoch, epoch);
    doubt.will = will;
    if (this.#isClosed) this.settled(clientId, undefined);
  }

  /**
   * A take has failed.
   *
   * @param from - given when another node had the session: routes that stay until it is known who has it, and what was found
   * of a will.
   */
  failed(
    clientId: string,
    from?: { readonly kept: Expectation; readonly will: PendingWill | undefined },
  ): void {
    const doubt = this.#open(clientId, 'due');
    doubt.epoch = Infinity;
    if (from === undefined) return;
    doubt.kept.push(from.kept);
    doubt.will = from.will;
  }

  has(clientId: string): boolean {
    return this.#doubts.has(clientId);
  }

  /** Whether a take of the session has failed, and it is not known yet who has it. */
  hasFailed(clientId: string): boolean {
    return this.#doubts.get(clientId)?.epoch === Infinity;
  }

  /** The will of a session that this node has let go and that nobody has taken: its epoch is the same. Or of one whose take was carried out. */
  willOf({ clientId, epoch }: { readonly clientId: string; readonly epoch: number }) {
    const known = this.#doubts.get(clientId);
    if (known === undefined) return undefined;
    return known.epoch === epoch || known.epoch === Infinity ? known.will : undefined;
  }

  /** Another node has taken a session under an epoch. Returns whether that ends a doubt. */
  taken(clientId: string, epoch: number): boolean {
    const known = this.#doubts.get(clientId);
    if (known === undefined || known.epoch >= epoch) return false;
    this.settled(clientId, undefined);
    return true;
  }

  /**
   * It is known who has the session, and that node is routed to.
   *
   * @param entry - the session, if this node has it.
   */
  settled(clientId: string, entry: Receiver | undefined): void {
    const known = this.#doubts.get(clientId);
    if (known === undefined) return;
    this.#doubts.delete(clientId);
    for (const kept of known.kept) kept.end(entry);
  }

  /** The store did not say who has the session: it is asked again. */
  unsettled(clientId: string): void {
    const known = this.#doubts.get(clientId);
    if (known !== undefined) known.state = 'due';
    if (this.#isClosed) this.settled(clientId, undefined);
  }

  /** The store is not asked again. */
  close(): void {
    this.#isClosed = true;
    for (const clientId of this.#doubts.keys()) this.settled(clientId, undefined);
  }

  /** The sessions to ask the store for; called by each sweep. */
  due(): readonly string[] {
    const due: string[] = [];
    for (const [clientId, doubt] of this.#doubts) {
      if (doubt.state === 'due') due.push(clientId);
      if (doubt.state !== 'asked') doubt.state = doubt.state === 'due' ? 'asked' : 'due';
    }
    return due;
  }

  #open(clientId: string, state: 'young' | 'due'): Doubt {
    const known = this.#doubts.get(clientId);
    if (known !== undefined) {
      known.state = state;
      return known;
    }
    const made: Doubt = { kept: [], epoch: 0, will: undefined, state };
    this.#doubts.set(clientId, made);
    return made;
  }
}
