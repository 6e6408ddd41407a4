/** Something that collects work during an event-loop turn and hands it over at its end. */
export interface Flushable {
  flush(): void;
}

/**
 * The end of an event-loop turn: everything collected goes out once, in the order of registration.
 *
 * @remarks This is what makes one write per socket and one round trip per store of whatever came in together.
 */
export class Turn {
  readonly #defer: (run: () => void) => void;
  readonly #members: Flushable[] = [];
  #isDue = false;

  /** @param defer - runs a function after the input of this turn has been handled. */
  constructor(defer: (run: () => void) => void) {
    this.#defer = defer;
  }

  /** Members are flushed in the order in which they join. */
  join(member: Flushable): void {
    this.#members.push(member);
  }

  /** Asks for a flush at the end of this turn. */
  touch(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#defer(this.#run);
  }

  /** Flushes now: for a shutdown that cannot wait for the turn. */
  flush(): void {
    for (const member of this.#members) member.flush();
  }

  readonly #run = (): void => {
    this.#isDue = false;
    this.flush();
  };
}
