import { EventEmitter } from 'node:events';
import type { Aedes, AedesOptions, Subscription } from 'aedes';
import {
  PublishError,
  type Authentication,
  type Bridge,
  type Hub,
  type HubClient,
  type HubHandler,
  type Log,
  type Message,
  type PublishDone,
} from '#libs/broker-ports';
import type { QoS } from '#libs/mqtt-codec';
import { NoPersistence, PluginEmitter } from './aedes-contracts.ts';
import { HubPacket } from './hub-packet.ts';
import { PipelineAedes } from './pipeline-aedes.ts';

/** The hooks of aedes that a deployment may set; each has aedes' own default. */
export type AedesHooks = Pick<
  AedesOptions,
  'authenticate' | 'authorizePublish' | 'authorizeSubscribe' | 'published'
>;

type AedesClient = Parameters<NonNullable<AedesOptions['authenticate']>>[0];

/**
 * The hub of a node on aedes: its hooks, its client registry and events, for the plugins of its ecosystem.
 *
 * @remarks Connections, delivery and storage are not aedes': see docs/adr/0001. All obligations of a message begin
 * in the turn and the order in which messages come, and are awaited together.
 */
export class AedesHub implements Hub {
  readonly #pipeline: PipelineAedes;
  readonly #clients = new Map<string, AedesClient>();

  /** Without a hook, aedes' default rule is applied here: no callback per message. */
  readonly #hasPublishHook: boolean;

  private constructor(pipeline: PipelineAedes, hasPublishHook: boolean) {
    this.#pipeline = pipeline;
    this.#hasPublishHook = hasPublishHook;
  }

  /** Starts the hub. */
  static async open(options: {
    readonly id: string;
    readonly log: Log;
    readonly hooks?: AedesHooks;
  }): Promise<AedesHub> {
    const contracts = { mq: new PluginEmitter(), persistence: new NoPersistence() };
    const aedes = new PipelineAedes({ ...options.hooks, id: options.id, ...contracts });
    // aedes emits 'error' without declaring it.
    EventEmitter.prototype.on.call(aedes, 'error', (error: unknown) => {
      options.log.error('hub-error', { reason: String(error) });
    });
    await aedes.listen();
    return new AedesHub(aedes, options.hooks?.authorizePublish !== undefined);
  }

  /** The aedes instance, for plugins: events, `subscribe`, `publish`, hooks. */
  get aedes(): Aedes {
    return this.#pipeline;
  }

  /** From now on the bridge is offered each message that passes. */
  connectBridge(bridge: Bridge): void {
    this.#pipeline.bridge = bridge;
  }

  attach(handler: HubHandler): void {
    this.#pipeline.handler = handler;
  }

  authenticate(
    client: HubClient,
    password: Uint8Array | undefined,
    done: (verdict: Authentication) => void,
  ): void {
    const secret = password === undefined ? undefined : Buffer.from(password);
    this.#pipeline.authenticate(
      asAedesClient(client),
      client.username,
      secret,
      (error, success) => {
        if (error === null) return done(success === true ? 'allowed' : 'denied');
        done('returnCode' in error ? 'denied' : 'error');
      },
    );
  }

  authorizeSubscribe(
    client: HubClient,
    request: { readonly filter: string; readonly qos: QoS },
    done: (granted: QoS | undefined) => void,
  ): void {
    const asked: Subscription = { topic: request.filter, qos: request.qos };
    this.#pipeline.authorizeSubscribe(this.#find(client), asked, (error, granted) => {
      const refused = error !== null || granted === undefined || granted === null;
      done(refused ? undefined : lower(request.qos, granted.qos));
    });
  }

  authorizePublish(message: Message, client: HubClient, done: PublishDone): void {
    if (isReserved(message)) {
      return done(new PublishError('NOT_AUTHORIZED', "$SYS topics are the broker's"));
    }
    if (!this.#hasPublishHook) return done();
    // The cast is a border: aedes types the payload format indicator as a boolean.
    this.#pipeline.authorizePublish(this.#find(client), new HubPacket(message) as never, (error) =>
      done(error ? new PublishError('NOT_AUTHORIZED', error.message) : undefined),
    );
  }

  publish(message: Message, client: HubClient | undefined, done: PublishDone): void {
    if (client === undefined) return this.#pipeline.begin(message, null, done);
    if (!this.#hasPublishHook && !isReserved(message)) {
      return this.#pipeline.begin(message, this.#find(client), done);
    }
    this.authorizePublish(message, client, (error) => {
      if (error === undefined) this.#pipeline.begin(message, this.#find(client), done);
      else done(error);
    });
  }

  register(client: HubClient): void {
    const registered = asAedesClient(client);
    this.#clients.set(client.clientId, registered);
    this.#pipeline.registered(registered);
  }

  unregister(client: HubClient): void {
    const registered = this.#clients.get(client.clientId);
    if (registered === undefined) return;
    this.#clients.delete(client.clientId);
    this.#pipeline.unregistered(registered);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#pipeline.close(() => resolve());
    });
  }

  #find(client: HubClient): AedesClient {
    return this.#clients.get(client.clientId) ?? asAedesClient(client);
  }
}

/** Whether a topic is the broker's: aedes' default rule, and no hook may say otherwise. */
function isReserved({ topic }: Message): boolean {
  return topic.startsWith('$SYS/');
}

/** What hooks read of a client. The cast is the border to aedes, whose class also carries a socket that hooks must not use. */
function asAedesClient(client: HubClient): AedesClient {
  const face = {
    id: client.clientId,
    username: client.username,
    listener: client.listener,
    remoteAddress: client.remoteAddress,
    connected: true,
    close: (done?: () => void) => done?.(),
  };
  return face as unknown as AedesClient;
}

function lower(asked: QoS, granted: number): QoS {
  if (granted >= asked) return asked;
  return granted === 1 ? 1 : 0;
}
