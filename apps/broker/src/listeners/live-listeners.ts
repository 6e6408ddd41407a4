import type { DefinitionStore, ListenerDocument, Log, StoredDefinition } from '#libs/broker-ports';
import type { LiveSettings } from '../settings/live-settings.ts';
import { boundListeners } from '../wiring/open-files.ts';
import type { ListenerSet } from './listener-set.ts';

/** What of the store of listeners is needed. */
export type ListenerStore = Pick<
  DefinitionStore<ListenerDocument>,
  'list' | 'get' | 'put' | 'remove' | 'watch'
>;

/** What listeners that change are made of. */
export interface LiveListenersParts {
  readonly store: ListenerStore;
  readonly live: Pick<LiveSettings, 'setListeners' | 'shown'>;
  readonly set: Pick<ListenerSet, 'replace'>;
  readonly openFilesMax: number;
  readonly log: Log;
}

/** Listeners that are made, changed and removed while a node runs: those that are stored lie above those of its configuration. */
export class LiveListeners {
  readonly #parts: LiveListenersParts;
  #refusals: ReadonlyMap<string, string> = new Map();
  #stored: ReadonlySet<string> = new Set();
  #isOpen = false;
  #last = Promise.resolve();

  constructor(parts: LiveListenersParts) {
    this.#parts = parts;
  }

  /** Why some of them are not on this node as they are stored, by name. */
  get refusals(): ReadonlyMap<string, string> {
    return this.#refusals;
  }

  /** Whether one of this name is stored: then it stops no node from starting. */
  isStored(name: string): boolean {
    return this.#stored.has(name);
  }

  /** Goes by what is stored at this moment, before any listener is open. While the store is away nothing changes. */
  async prepare(): Promise<void> {
    const stored = await this.#parts.store.list().catch(() => []);
    await this.#take(stored);
  }

  /** Listeners are open: every change from now on opens, changes and closes some. */
  drive(): void {
    this.#isOpen = true;
    // What is read anew is never older than what a command has brought; the watch may be.
    this.#parts.store.watch((stored) => {
      void this.refresh().catch(() => this.#queue(() => this.#take(stored)));
    });
  }

  /** Goes by what is stored at this moment. Rejects when the store is away. */
  async refresh(): Promise<void> {
    if (!this.#isOpen) return;
    await this.#queue(async () => this.#take(await this.#parts.store.list()));
  }

  async #take(stored: readonly StoredDefinition<ListenerDocument>[]): Promise<void> {
    const { live, set, log, openFilesMax } = this.#parts;
    const overlays = new Map(stored.map(({ item: { id, settings } }) => [id, settings]));
    this.#stored = new Set(overlays.keys());
    const refusals = new Map(live.setListeners(overlays));
    try {
      await set.replace(boundListeners(live.shown, openFilesMax), this.#isOpen);
    } catch (error) {
      for (const name of overlays.keys()) refusals.set(name, (error as Error).message);
    }
    for (const [listener, reason] of refusals) {
      if (this.#refusals.get(listener) !== reason)
        log.error('listener-refused', { listener, reason });
    }
    this.#refusals = refusals;
  }

  /** One change after the other, in the order in which they came. */
  #queue(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}
