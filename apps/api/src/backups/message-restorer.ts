import { decodeMessage } from '#libs/broker-ports';
import { ProblemError } from '../http/problem-error.ts';
import { SectionCounter, type ArchiveItem } from './archive-format.ts';
import { delayedOf } from './backup-sources.ts';
import type { RestorerOptions } from './session-restorer.ts';

const BATCH_MESSAGES = 500;
const BATCH_CHARACTERS = 512 * 1024;
const TRIES = 8;

interface Delayed {
  readonly dueAtMs: number;
  readonly message: string;
}

/** Restores retained and delayed messages. */
export class MessageRestorer {
  readonly #options: RestorerOptions;
  #retained: string[] = [];
  #delayed: (Delayed & { readonly digest: string })[] = [];
  #characters = 0;
  /** What waits already. */
  #known: Set<string> | undefined;

  constructor(options: RestorerOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#retained.length === 0 && this.#delayed.length === 0;
  }

  /** Takes an item of the archive. */
  async add({
    section,
    item,
    digest = '',
  }: ArchiveItem & { readonly digest: string | undefined }): Promise<void> {
    const message = section === 'retained' ? item : (item as Partial<Delayed> | null)?.message;
    const dueAtMs = section === 'retained' ? 0 : (item as Partial<Delayed> | null)?.dueAtMs;
    if (typeof message !== 'string' || !Number.isSafeInteger(dueAtMs)) {
      this.#options.tally.add(section, '', { reason: 'unreadable' });
      return;
    }
    if (section === 'retained') this.#retained.push(message);
    else this.#delayed.push({ dueAtMs: dueAtMs ?? 0, message, digest });
    this.#characters += message.length;
    const waiting = this.#retained.length + this.#delayed.length;
    if (waiting >= BATCH_MESSAGES || this.#characters >= BATCH_CHARACTERS) await this.flush();
  }

  /** Does what waits. */
  async flush(): Promise<void> {
    const [retained, delayed] = [this.#retained, this.#delayed];
    this.#retained = [];
    this.#delayed = [];
    this.#characters = 0;
    if (retained.length > 0) await this.#restoreRetained(retained);
    if (delayed.length > 0) await this.#restoreDelayed(delayed);
  }

  async #restoreRetained(messages: readonly string[]): Promise<void> {
    const { nodes, tally, replaces, dryRun } = this.#options;
    const command = { kind: 'restore-retained', messages, replaces, dryRun } as const;
    const { outcomes } = await nodes.askInTurn<'restore-retained'>(command);
    for (const [at, text] of messages.entries()) {
      const outcome = outcomes[at] ?? 'failed';
      const isDone = outcome === 'restored' || outcome === 'unchanged';
      tally.add('retained', topicOf(text), isDone ? outcome : { reason: outcome });
    }
  }

  /** They have no names: what waits already is known by all that they are. Not repeated before that was looked up again. */
  async #restoreDelayed(items: readonly (Delayed & { readonly digest: string })[]): Promise<void> {
    const { nodes, tally, dryRun } = this.#options;
    for (let tries = 1; ; tries += 1) {
      const known = (this.#known ??= await this.#waiting());
      const missing = items.filter(({ digest }) => !known.has(digest));
      try {
        const node = await nodes.inTurn();
        const { outcomes } = await nodes.askOnce<'restore-delayed'>(node, {
          ...{ kind: 'restore-delayed', dryRun },
          items: missing.map(({ dueAtMs, message }) => ({ dueAtMs, message })),
        });
        for (const { message, digest } of items) {
          if (known.has(digest)) tally.add('delayed', topicOf(message), 'unchanged');
        }
        for (const [at, { message }] of missing.entries()) {
          const outcome = outcomes[at] ?? 'failed';
          const isDone = outcome === 'restored' || outcome === 'unchanged';
          tally.add('delayed', topicOf(message), isDone ? outcome : { reason: outcome });
        }
        return;
      } catch (error) {
        const isAway = error instanceof ProblemError && error.status === 503;
        if (!isAway || tries === TRIES) throw error;
        this.#known = undefined;
        await nodes.pause();
      }
    }
  }

  async #waiting(): Promise<Set<string>> {
    const digests = new Set<string>();
    for await (const item of delayedOf(this.#options.nodes)) {
      const digest = new SectionCounter('delayed').add(item);
      if (digest !== undefined) digests.add(digest);
    }
    return digests;
  }
}

function topicOf(text: string): string {
  return decodeMessage(Buffer.from(text, 'base64'))?.topic ?? '';
}
