import { isDeepStrictEqual } from 'node:util';
import type { Log } from '#libs/broker-ports';
import type { Listener } from './listener.ts';
import type { BoundListener } from '../wiring/open-files.ts';

/** A listener as administrators see it. */
export interface ListenerView {
  readonly name: string;
  readonly type: 'tcp' | 'ws' | 'tls' | 'wss';
  readonly state: 'listening' | 'stopped' | 'failed';
  readonly address: string;
  readonly connectionsMax: number;
  readonly lastError?: string;
}

/** A listener of a node with its bound. */
export interface SetListener extends BoundListener {
  readonly listener: Listener;
}

/** What a set makes its listeners with, and where it tells of them. */
export interface ListenerSetParts {
  readonly open: (bound: BoundListener) => Listener;
  readonly meter: {
    connectionsLimit(listener: string, connectionsMax: number): void;
    listenerRemoved(listener: string): void;
  };
  readonly log: Log;
}

/** The listeners of a node: opened together, closed together, and between that each on its own. */
export class ListenerSet {
  #listeners: readonly SetListener[];
  /** Those that accept no more since they were changed or removed, and have connections. */
  readonly #retired = new Set<Promise<void>>();
  readonly #parts: ListenerSetParts;
  readonly #log: Log;
  /** Why a listener could not be opened, by name. */
  readonly #faults = new Map<string, string>();
  /** One change at a time for each listener. */
  readonly #changes = new Map<string, Promise<void>>();
  #isClosing = false;

  constructor(listeners: readonly BoundListener[], parts: ListenerSetParts) {
    this.#parts = parts;
    this.#log = parts.log;
    this.#listeners = listeners.map((bound) => this.#made(bound));
    this.#changed();
  }

  /** The listeners themselves, in the order of the configuration. */
  get all(): readonly Listener[] {
    return this.#listeners.map(({ listener }) => listener);
  }

  /** How they stand. */
  views(): readonly ListenerView[] {
    return this.#listeners.map((each) => this.#viewOf(each));
  }

  /** How one of them stands; undefined when there is none of this name. */
  view(name: string): ListenerView | undefined {
    const found = this.#find(name);
    return found && this.#viewOf(found);
  }

  /** Has a listener accept; one that does stays as it is. */
  start(name: string): Promise<void> {
    return this.#change(name, async (listener) => {
      if (listener.isOpen || this.#isClosing) return;
      try {
        await listener.reload();
        await listener.open();
        this.#faults.delete(name);
        this.#log.info('listening', { listener: name, address: listener.address });
      } catch (error) {
        const { message } = error as Error;
        this.#faults.set(name, message);
        this.#log.error('listener-failed', { listener: name, reason: message });
      }
    });
  }

  /** Has a listener accept no more; its connections go on. */
  stop(name: string): Promise<void> {
    return this.#change(name, async (listener) => {
      this.#faults.delete(name);
      if (!listener.isOpen) return;
      listener.pause();
      this.#log.info('listener-stopped', { listener: name });
    });
  }

  /** Accepts no more, anywhere and for good; resolves when the last connection has ended. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this.all.map((listener) => listener.close()), ...this.#retired]);
  }

  /**
   * Has other listeners than before. Those that are the same go on; of those that are not, connections go on, and one that cannot
   * be opened as it should be stays as it was and says why.
   *
   * @param isOpening - whether new ones are opened now; before that, start() opens them.
   */
  async replace(bounds: readonly BoundListener[], isOpening: boolean): Promise<void> {
    const wanted = new Set(bounds.map(({ settings }) => settings.name));
    for (const { listener } of this.#listeners) {
      if (!wanted.has(listener.name))
        await this.#change(listener.name, () => this.#remove(listener));
    }
    for (const bound of bounds) {
      if (this.#isClosing) return;
      const { name } = bound.settings;
      const found = this.#find(name);
      if (found === undefined) await this.#add(bound, isOpening);
      else if (!isDeepStrictEqual(found.settings, bound.settings)) {
        await this.#change(name, () => this.#exchange(found, bound, isOpening));
      } else {
        // A change that failed was taken back.
        if (found.listener.isOpen) this.#faults.delete(name);
        found.listener.bound(bound.connectionsMax);
        this.#put({ ...bound, listener: found.listener });
      }
    }
  }

  async #add(bound: BoundListener, isOpening: boolean): Promise<void> {
    this.#put(this.#made(bound));
    if (isOpening) await this.start(bound.settings.name);
  }

  async #remove(listener: Listener): Promise<void> {
    this.#listeners = this.#listeners.filter((each) => each.listener !== listener);
    this.#faults.delete(listener.name);
    this.#parts.meter.listenerRemoved(listener.name);
    this.#changed();
    this.#retire(listener);
    this.#log.info('listener-removed', { listener: listener.name });
  }

  async #exchange(before: SetListener, bound: BoundListener, isOpening: boolean): Promise<void> {
    const { name } = bound.settings;
    const next = this.#made(bound);
    const hasFailed = this.#faults.has(name);
    try {
      if (before.listener.isOpen || (isOpening && hasFailed)) {
        await next.listener.prepare();
        await this.#succeed(before, next);
      }
    } catch (error) {
      const { message } = error as Error;
      this.#faults.set(name, message);
      return this.#log.error('listener-failed', { listener: name, reason: message });
    }
    this.#faults.delete(name);
    this.#put(next);
    this.#retire(before.listener);
    this.#log.info('listener-changed', { listener: name, address: next.listener.address });
  }

  /** Opens one in place of another one, which goes on if that fails. */
  async #succeed(
    { listener: before, settings: old }: SetListener,
    next: SetListener,
  ): Promise<void> {
    const { host, port } = next.settings;
    const isInTheWay = before.isOpen && port === old.port && port !== 0 && host === old.host;
    if (isInTheWay) before.pause();
    try {
      await next.listener.open();
    } catch (error) {
      if (isInTheWay) await before.open();
      throw error;
    }
  }

  #made(bound: BoundListener): SetListener {
    return { ...bound, listener: this.#parts.open(bound) };
  }

  /** Takes one in, or in the place of the one with its name. */
  #put(own: SetListener): void {
    const { name } = own.settings;
    const isNew = this.#find(name) === undefined;
    this.#listeners = isNew
      ? [...this.#listeners, own]
      : this.#listeners.map((each) => (each.listener.name === name ? own : each));
    this.#changed();
  }

  #retire(listener: Listener): void {
    const closed = listener.close().then(() => void this.#retired.delete(closed));
    this.#retired.add(closed);
  }

  #changed(): void {
    const { meter } = this.#parts;
    for (const { settings, connectionsMax } of this.#listeners) {
      meter.connectionsLimit(settings.name, connectionsMax);
    }
  }

  #find(name: string): SetListener | undefined {
    return this.#listeners.find(({ listener }) => listener.name === name);
  }

  #viewOf({ listener, settings, connectionsMax }: SetListener): ListenerView {
    const lastError = this.#faults.get(listener.name);
    const isWeb = settings.path !== undefined;
    return {
      name: listener.name,
      type: settings.tls === undefined ? (isWeb ? 'ws' : 'tcp') : isWeb ? 'wss' : 'tls',
      state: listener.isOpen ? 'listening' : lastError === undefined ? 'stopped' : 'failed',
      address: listener.address,
      connectionsMax,
      ...(lastError !== undefined && { lastError }),
    };
  }

  #change(name: string, make: (listener: Listener) => Promise<void>): Promise<void> {
    const before = this.#changes.get(name) ?? Promise.resolve();
    const change = before.then(() => {
      const found = this.#find(name);
      return found && make(found.listener);
    });
    this.#changes.set(name, change);
    return change;
  }
}
