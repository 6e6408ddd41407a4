import { Aedes, type AedesOptions } from 'aedes';
import type { Bridge, HubHandler, Message, PublishDone, PublishError } from '#libs/broker-ports';
import type { PluginEmitter } from './aedes-contracts.ts';
import { HubPacket } from './hub-packet.ts';

type AedesClient = Parameters<NonNullable<AedesOptions['authenticate']>>[0];
type PluginPacket = Parameters<Aedes['publish']>[0];

/** Counts the obligations of one message and reports the first failure. */
class Obligations {
  #left = 1;
  #error: PublishError | undefined;
  readonly #done: PublishDone;

  constructor(done: PublishDone) {
    this.#done = done;
  }

  begin(): void {
    this.#left += 1;
  }

  readonly end = (error?: PublishError): void => {
    this.#error ??= error;
    this.#left -= 1;
    if (this.#left === 0) this.#done(this.#error);
  };
}

const nobodyWaits: PublishDone = () => undefined;

/**
 * aedes with a publish pipeline that keeps the order of arrival.
 *
 * @remarks aedes carries out retained, queues, emit and `published` one after the other, each asynchronous for some
 * messages only, so that a message without RETAIN overtakes one with it. Here all begin at once, in order.
 */
export class PipelineAedes extends Aedes {
  handler: HubHandler | undefined;
  /** Offered each message that passes, when there is one. */
  bridge: Bridge | undefined;
  readonly #plugins: PluginEmitter;
  readonly #hasPublishedHook: boolean;

  constructor(options: AedesOptions & { readonly mq: PluginEmitter }) {
    super(options);
    this.#plugins = options.mq;
    this.#hasPublishedHook = options.published !== undefined;
  }

  /** Takes on all obligations of a message; done is called once when all are met, or with the first failure. */
  begin(message: Message, client: AedesClient | null, done: PublishDone): void {
    const { handler } = this;
    if (handler === undefined) return done();
    const bridge = this.bridge?.idle === false ? this.bridge : undefined;
    const isQuiet = this.#isQuiet();
    if (isQuiet && !message.retain) {
      // One obligation, or none that is waited for: no bookkeeping.
      if (bridge === undefined) return handler.route(message, done);
      if (message.qos === 0) {
        handler.route(message, nobodyWaits);
        bridge.offer(message, nobodyWaits);
        return done();
      }
    }
    const obligations = new Obligations(done);
    if (message.retain) {
      obligations.begin();
      handler.retain(message, obligations.end);
    }
    obligations.begin();
    handler.route(message, obligations.end);
    if (bridge !== undefined) {
      obligations.begin();
      bridge.offer(message, obligations.end);
    }
    if (!isQuiet) this.#tellPlugins(message, client, obligations);
    obligations.end();
  }

  /** What plugins publish joins the same pipeline; aedes' own inter-broker notices are dropped. */
  override publish(...parameters: Parameters<Aedes['publish']>): void {
    const [packet, ...rest] = parameters as readonly [PluginPacket, ...unknown[]];
    const done = rest.find((argument) => typeof argument === 'function') as
      ((error?: Error) => void) | undefined;
    if (this.handler === undefined || packet.topic.startsWith(`$SYS/${this.id}/`)) {
      done?.();
      return;
    }
    // aedes fills in what its types ask for, and plugins rely on it.
    const { topic, payload, qos, retain }: Partial<PluginPacket> & { topic: string } = packet;
    const message = this.handler.identify({
      topic,
      payload: Buffer.from(payload ?? ''),
      qos: qos ?? 0,
      retain: retain ?? false,
    });
    this.begin(message, null, (error) => done?.(error));
  }

  /** Enters a client into aedes' registry. */
  registered(client: AedesClient): void {
    this.#registry[client.id] = client;
    this.emit('client', client);
    this.emit('clientReady', client);
  }

  unregistered(client: AedesClient): void {
    if (this.#registry[client.id] === client) delete this.#registry[client.id];
    this.emit('clientDisconnect', client);
  }

  /** aedes keeps its clients in an untyped public field. */
  get #registry(): Record<string, AedesClient> {
    return (this as unknown as { readonly clients: Record<string, AedesClient> }).clients;
  }

  #isQuiet(): boolean {
    return (
      !this.#hasPublishedHook && !this.#plugins.hasListeners && this.listenerCount('publish') === 0
    );
  }

  #tellPlugins(message: Message, client: AedesClient | null, obligations: Obligations): void {
    const packet = new HubPacket(message);
    if (this.#hasPublishedHook && client !== null) {
      obligations.begin();
      this.published(packet as never, client, () => obligations.end());
    }
    if (this.#plugins.hasListeners) {
      obligations.begin();
      this.#plugins.emit(packet, () => obligations.end());
    }
    if (this.listenerCount('publish') > 0) this.emit('publish', packet as never, client);
  }
}
