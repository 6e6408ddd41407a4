import type {
  CommandOf,
  DeadLetterAnswers,
  DeadLetterCommand,
  WireDeadLetter,
  WireDeadLetterQuery,
  WireReplay,
} from '#libs/api-contracts';
import {
  DEAD_LETTER_ID,
  type Bridge,
  type DeadLetterStore,
  type KeptDeadLetter,
  type Log,
} from '#libs/broker-ports';

/** What commands on dead letters work on. */
export interface DeadLetterCommandsOptions {
  readonly store: DeadLetterStore;
  readonly bridge: Pick<Bridge, 'replay'>;
  readonly log: Log;
}

/** Letters that are read at once. */
const READ_MAX = 100;
/** One call looks at so many letters, and gives so much content, at most: what is behind that takes another. */
const LOOKED_AT_MAX = 2_000;
const PAGE_CHARACTERS_MAX = 2 * 1024 * 1024;
/** How many letters one call replays. */
const REPLAYS_MAX = 100;

/** Dead letters that Skein keeps, as the API sees them. */
export class DeadLetterCommands {
  readonly #options: DeadLetterCommandsOptions;

  constructor(options: DeadLetterCommandsOptions) {
    this.#options = options;
  }

  async answer(command: DeadLetterCommand): Promise<DeadLetterAnswers[DeadLetterCommand['kind']]> {
    switch (command.kind) {
      case 'dead-letters':
        return this.#page(command);
      case 'remove-dead-letters':
        return this.#remove(command);
      case 'replay-dead-letters':
        return this.#replay(command);
    }
  }

  async #page({
    query,
    after,
    limit,
    content,
  }: CommandOf<'dead-letters'>): Promise<DeadLetterAnswers['dead-letters']> {
    const items: WireDeadLetter[] = [];
    let characters = 0;
    let last: string | undefined;
    for await (const letter of this.#scan(query, after)) {
      if (letter === 'more') return { items, next: last ?? after };
      if (isOf(letter, query)) {
        const size = content ? letter.key.length + letter.value.length : 0;
        const isFull = items.length >= limit || characters + size > PAGE_CHARACTERS_MAX;
        if (isFull && items.length > 0) return { items, next: last };
        characters += size;
        items.push(wireOf(letter, content));
      }
      last = letter.id;
    }
    return { items };
  }

  async #remove({
    query,
    dryRun,
  }: CommandOf<'remove-dead-letters'>): Promise<DeadLetterAnswers['remove-dead-letters']> {
    const ids: string[] = [];
    let hasMore = false;
    for await (const letter of this.#scan(query, undefined)) {
      if (letter === 'more') hasMore = true;
      else if (isOf(letter, query)) ids.push(letter.id);
    }
    const removed = dryRun ? ids.length : await this.#options.store.remove(ids);
    return { removed, hasMore };
  }

  /** Letters from a time and an id on; `more` at the end when it stops before theirs. */
  async *#scan(
    { fromMs, toMs = Infinity }: WireDeadLetterQuery,
    from: string | undefined,
  ): AsyncGenerator<KeptDeadLetter | 'more'> {
    let after = from;
    for (let looked = 0; looked < LOOKED_AT_MAX; looked += READ_MAX) {
      const letters = await this.#options.store.page({ after, fromMs, limit: READ_MAX });
      for (const letter of letters) {
        if (letter.atMs > toMs) return;
        yield letter;
      }
      if (letters.length < READ_MAX) return;
      after = letters.at(-1)?.id;
    }
    yield 'more';
  }

  async #replay({
    ids,
    withinMs,
  }: CommandOf<'replay-dead-letters'>): Promise<DeadLetterAnswers['replay-dead-letters']> {
    const { store } = this.#options;
    const letters: (readonly [id: string, letter: KeptDeadLetter | undefined])[] = [];
    for (const id of new Set(ids.slice(0, REPLAYS_MAX))) {
      letters.push([id, DEAD_LETTER_ID.test(id) ? await store.get(id) : undefined]);
    }
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), withinMs);
    try {
      // Begun in this order, so that it holds for each key.
      const replays = letters.map(([id, letter]) =>
        letter === undefined
          ? Promise.resolve({ id, outcome: 'absent' as const })
          : this.#begin(letter, late.signal),
      );
      return { results: await Promise.all(replays) };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves with the fate of a letter, or when time is up: then the rule goes on with it. */
  #begin(letter: KeptDeadLetter, late: AbortSignal): Promise<WireReplay> {
    const { store, bridge, log } = this.#options;
    const { id } = letter;
    return new Promise((resolve) => {
      late.addEventListener('abort', () => resolve({ id, outcome: 'pending' }), { once: true });
      const start = bridge.replay(letter, (error) => {
        if (error !== undefined) return resolve({ id, outcome: 'failed', detail: error.message });
        store.remove([id]).then(
          () => resolve({ id, outcome: 'replayed' }),
          (failure: unknown) => {
            // Delivered, and still listed: whoever replays it again has it twice.
            log.warn('dead-letter-not-removed', { id, error: String(failure) });
            resolve({ id, outcome: 'replayed' });
          },
        );
      });
      if (start !== 'begun') resolve({ id, outcome: start });
    });
  }
}

function isOf(letter: KeptDeadLetter, { bridge, rule }: WireDeadLetterQuery): boolean {
  return (bridge ?? letter.bridge) === letter.bridge && (rule ?? letter.rule) === letter.rule;
}

function wireOf(letter: KeptDeadLetter, content: boolean): WireDeadLetter {
  const { key, value, headers, valueBytes, ...rest } = letter;
  return {
    ...rest,
    ...(content ? { key, value, headers } : { key: '', value: '', headers: {} }),
    valueBytes: valueBytes ?? Buffer.byteLength(value, 'base64'),
    isCut: valueBytes !== undefined,
  };
}
