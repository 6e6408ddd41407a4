import mqemitter, { type Message as EmitterMessage } from 'mqemitter';

type Listener = (packet: EmitterMessage, done: () => void) => void;

/**
 * The emitter that aedes demands: it serves what plugins subscribe through `aedes.subscribe()`, nothing else.
 *
 * @remarks Clients are served by the node's core. While no plugin listens, emit() is one comparison.
 */
export class PluginEmitter {
  readonly #emitter = mqemitter({ concurrency: 100, matchEmptyLevels: true });
  readonly #listeners = new Map<string, Set<Listener>>();

  get hasListeners(): boolean {
    return this.#listeners.size > 0;
  }

  on(topic: string, listener: Listener, done?: () => void): this {
    // aedes listens for its own inter-broker protocol, which the cluster layer replaces.
    if (!topic.startsWith('$SYS/+/')) {
      const listeners = this.#listeners.get(topic) ?? new Set();
      this.#listeners.set(topic, listeners.add(listener));
      this.#emitter.on(topic, listener);
    }
    if (done) setImmediate(done);
    return this;
  }

  removeListener(topic: string, listener: Listener, done?: () => void): this {
    const listeners = this.#listeners.get(topic);
    if (listeners?.delete(listener) && listeners.size === 0) this.#listeners.delete(topic);
    this.#emitter.removeListener(topic, listener, done);
    return this;
  }

  emit(packet: { readonly topic: string }, done: () => void): void {
    if (!this.hasListeners) return done();
    this.#emitter.emit({ ...packet }, done);
  }

  close(done: () => void): void {
    this.#emitter.close(done);
  }
}

/** The part of aedes' persistence contract that its constructor asks for. Sessions and retained messages have their own ports. */
export class NoPersistence {
  async setup(): Promise<void> {}

  async *streamWill(): AsyncGenerator<never> {}
}
