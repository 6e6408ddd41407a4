import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls, { type ConnectionOptions } from 'node:tls';
import type { ISocketFactory, KafkaConfig, Mechanism, SASLOptions } from 'kafkajs';
import type { Endpoint } from '#libs/bridge';
import type { KafkaConnector, KafkaSasl, KafkaTls, SecretReference } from '#libs/broker-ports';
import { tokenLogin } from './kafka-token.ts';

/** Reads a secret as it is now; throws when it cannot. */
export type ReadSecret = (reference: SecretReference) => string;

const KEEP_ALIVE_MS = 60_000;

/** How to connect and to log in: files and secrets are read each time, so that they can be replaced without a restart. */
export function kafkaAccess(
  connector: Pick<KafkaConnector, 'tls' | 'sasl'>,
  readSecret: ReadSecret,
): Pick<KafkaConfig, 'socketFactory' | 'sasl'> {
  const { sasl } = connector;
  return {
    socketFactory: socketsOf(connector.tls),
    ...(sasl === undefined ? {} : { sasl: loginOf(sasl, readSecret) }),
  };
}

/**
 * What a TLS connection to a host is made with.
 *
 * @throws Error when a file cannot be read, naming the setting.
 */
export function tlsOptions(settings: KafkaTls, host: string): ConnectionOptions {
  const { caFile, certFile, keyFile, serverName } = settings;
  // An IP address may not be sent as a name.
  const name = serverName ?? (net.isIP(host) === 0 ? host : undefined);
  return {
    ...(name === undefined ? {} : { servername: name }),
    ...(caFile === undefined ? {} : { ca: contentOf('tls.caFile', caFile) }),
    ...(certFile === undefined ? {} : { cert: contentOf('tls.certFile', certFile) }),
    ...(keyFile === undefined ? {} : { key: contentOf('tls.keyFile', keyFile) }),
    rejectUnauthorized: true,
  };
}

/** The brokers to start from. */
export function endpointsOf({ brokers, tls: settings }: KafkaConnector): readonly Endpoint[] {
  return brokers.map((broker) => {
    const at = broker.lastIndexOf(':');
    const host = broker.slice(0, at);
    const port = Number(broker.slice(at + 1));
    return settings === undefined
      ? { host, port }
      : { host, port, tls: () => tlsOptions(settings, host) };
  });
}

function socketsOf(settings: KafkaTls | undefined): ISocketFactory {
  return ({ host, port, onConnect }) => {
    const socket =
      settings === undefined
        ? net.connect({ host, port }, onConnect)
        : tls.connect({ host, port, ...tlsOptions(settings, host) }, onConnect);
    return socket.setKeepAlive(true, KEEP_ALIVE_MS);
  };
}

/** The client reads these fields whenever it logs in. */
function loginOf(sasl: KafkaSasl, readSecret: ReadSecret): SASLOptions | Mechanism {
  const read = (setting: string, reference: SecretReference): string => {
    try {
      return readSecret(reference);
    } catch (error) {
      throw new Error(`${setting}: ${(error as Error).message}`);
    }
  };
  if (sasl.mechanism === 'oauthbearer') {
    return tokenLogin(() => read('sasl.token', sasl.token));
  }
  const { mechanism, username, password } = sasl;
  return {
    mechanism,
    username,
    get password() {
      return read('sasl.password', password);
    },
    // The client's types tell each mechanism apart, whose fields are the same.
  } as SASLOptions;
}

function contentOf(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    throw new Error(`${setting}: the file ${file} cannot be read`);
  }
}
