import { readFileSync } from 'node:fs';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import { waitAtMost, type Endpoint } from '#libs/bridge';
import type { RabbitmqConnector, SecretReference } from '#libs/broker-ports';

/** Reads a secret as it is now; throws when it cannot. */
export type ReadSecret = (reference: SecretReference) => string;

const HEARTBEAT_SECONDS = '10';
const CLOSE_MS = 2_000;

/**
 * Connects as a connector says, with its secrets as they are now.
 *
 * @throws Error of the client's, or of a file that cannot be read.
 */
export async function openLink(
  connector: RabbitmqConnector,
  readSecret: ReadSecret,
): Promise<RabbitmqLink> {
  const { caFile, timeoutMs } = connector;
  const url = readUrl(connector, readSecret);
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', HEARTBEAT_SECONDS);
  const model = await connect(url.href, {
    timeout: timeoutMs,
    noDelay: true,
    ...(caFile === undefined ? {} : { ca: [readFileSync(caFile)] }),
  });
  return new RabbitmqLink(model);
}

/**
 * Where a connector leads to.
 *
 * @throws Error when its secret cannot be read.
 */
export function endpointOf(connector: RabbitmqConnector, readSecret: ReadSecret): Endpoint {
  const { caFile } = connector;
  const url = readUrl(connector, readSecret);
  // Brackets around an IPv6 address belong to the URL.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const secure = url.protocol === 'amqps:';
  const name = net.isIP(host) === 0 ? { servername: host } : {};
  const authorities = () => (caFile === undefined ? {} : { ca: [readFileSync(caFile)] });
  return {
    host,
    port: Number(url.port) || (secure ? 5671 : 5672),
    tls: secure ? () => ({ ...name, ...authorities() }) : undefined,
  };
}

function readUrl({ url: place }: RabbitmqConnector, readSecret: ReadSecret): URL {
  const url = URL.parse(typeof place === 'string' ? place : readSecret(place));
  if (url === null || !/^amqps?:$/.test(url.protocol)) {
    throw new Error('the secret of the url is not an amqp: or amqps: URL');
  }
  return url;
}

/** A channel with publisher confirms, and why the other side has closed it. */
export interface PublishChannel {
  readonly channel: ConfirmChannel;
  /** Undefined while it is open, and when the connection was lost. */
  readonly fault: () => unknown;
}

/** A connection to RabbitMQ with a channel for each lane. */
export class RabbitmqLink {
  readonly #model: ChannelModel;
  readonly #channels = new Map<string, Promise<PublishChannel>>();
  #open = true;

  constructor(model: ChannelModel) {
    this.#model = model;
    // Its end tells the same; without a listener an error would end the process.
    model.on('error', () => undefined);
    model.once('close', () => (this.#open = false));
  }

  get open(): boolean {
    return this.#open;
  }

  /** The channel of that name; one that was closed is replaced. */
  async channel(name: string): Promise<PublishChannel> {
    const opening = this.#channels.get(name) ?? this.#openChannel(name);
    this.#channels.set(name, opening);
    try {
      return await opening;
    } catch (error) {
      this.#channels.delete(name);
      throw error;
    }
  }

  /** Whether the other side answers: it opens a channel. */
  async ping(): Promise<void> {
    const channel = await this.#model.createChannel();
    await channel.close();
  }

  /** @throws Error with the code 404 when there is no such exchange. */
  async checkExchange(name: string): Promise<void> {
    const channel = await this.#model.createChannel();
    // A refusal closes the channel.
    channel.on('error', () => undefined);
    await channel.checkExchange(name);
    await channel.close();
  }

  /** Ends the connection without a farewell: nobody knows what became of what was sent. */
  cut(): void {
    this.#open = false;
    const { stream } = this.#model.connection as unknown as { readonly stream: Duplex };
    stream.destroy(new Error('the connection was given up'));
  }

  /** Ends the connection, bounded in time. Never rejects. */
  async close(): Promise<void> {
    if (!this.#open) return;
    const closed = this.#model.close().catch(() => undefined);
    await waitAtMost(CLOSE_MS, closed);
    if (this.#open) this.cut();
  }

  async #openChannel(name: string): Promise<PublishChannel> {
    const channel = await this.#model.createConfirmChannel();
    let fault: unknown;
    channel.on('error', (error: unknown) => (fault = error));
    channel.once('close', () => this.#channels.delete(name));
    return { channel, fault: () => fault };
  }
}
