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

/** The listeners of a node: opened together, closed together, and between that each on its own. */
export class ListenerSet {
  readonly #listeners: readonly SetListener[];
  readonly #log: Log;
  /** Why a listener could not be opened, by name. */
  readonly #faults = new Map<string, string>();
  /** One change at a time for each listener. */
  readonly #changes = new Map<string, Promise<void>>();
  #isClosing = false;

  constructor(listeners: readonly SetListener[], log: Log) {
    this.#listeners = listeners;
    this.#log = log;
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
    await Promise.all(this.all.map((listener) => listener.close()));
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
    const found = this.#find(name);
    if (found === undefined) return Promise.resolve();
    const before = this.#changes.get(name) ?? Promise.resolve();
    const change = before.then(() => make(found.listener));
    this.#changes.set(name, change);
    return change;
  }
}
