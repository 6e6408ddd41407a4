import { Socket, connect as connectTcp } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { AbstractConnector, SentinelConnector, type RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-target.ts';

type NetStream = Awaited<ReturnType<AbstractConnector['connect']>>;

/** A connection that has failed: the driver tells it and tries again, where a rejection would end its attempts. */
function failedStream(connector: AbstractConnector, cause: unknown): NetStream {
  connector.firstError = cause instanceof Error ? cause : new Error(String(cause));
  return new Socket().destroy();
}

/**
 * The driver listens for one error of a socket. TLS has two: that a write failed, and the reason, which the server sends
 * after the handshake. The second would end the process.
 */
function heard(stream: NetStream): NetStream {
  return stream.on('error', () => undefined);
}

/** Asks the Sentinels with every attempt, and counts an attempt as failed when none of them knows a master. */
export class PatientSentinelConnector extends SentinelConnector {
  override async connect(...[tell]: Parameters<SentinelConnector['connect']>): Promise<NetStream> {
    try {
      return heard(await super.connect(tell));
    } catch (error) {
      return failedStream(this, error);
    }
  }
}

/** Makes connectors that look with every attempt for where to connect to. */
export function connectorTo(
  find: () => Promise<RedisAddress>,
): NonNullable<RedisOptions['Connector']> {
  return class extends AbstractConnector {
    readonly #tls: ConnectionOptions | undefined;

    constructor(options: unknown) {
      const { tls, disconnectTimeout = 0 } = options as RedisOptions;
      super(disconnectTimeout);
      this.#tls = tls;
    }

    override async connect(): Promise<NetStream> {
      this.connecting = true;
      try {
        const address = await find();
        if (!this.connecting) throw new Error('the connection was closed');
        const stream =
          this.#tls === undefined ? connectTcp(address) : connectTls({ ...address, ...this.#tls });
        this.stream = heard(stream);
        return stream;
      } catch (error) {
        return failedStream(this, error);
      }
    }
  };
}
