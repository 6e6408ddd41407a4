import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePorts } from './redis-server.ts';
import { makeCertificates, type Certificates } from './redis-topologies.ts';

const SCRIPT = fileURLToPath(new URL('../../../deploy/dev/kafka/kafka.sh', import.meta.url));
const SERVER_NAME = 'kafka.test';
/** How long a login holds; the client logs in again ten seconds before. */
const LOGIN_MS = 12_000;

/** A broker on loopback that lets in only who shows a certificate or logs in. */
export interface SecureKafka {
  /** In the clear and open, for the test itself. */
  readonly open: string;
  /** TLS and a login. Of mechanism plain there is the user `device` with the password given at the start. */
  readonly login: string;
  /** TLS with a certificate of the client, signed by the broker's authority. */
  readonly certificate: string;
  /** Those of the broker; it takes its own as that of a client. */
  readonly certificates: Certificates;
  /** Lets a user log in by SCRAM with this password; without one, no more. */
  user(name: string, password?: string): Promise<void>;
  /** Ends and removes everything. */
  destroy(): Promise<void>;
}

/**
 * Starts one broker with listeners for TLS and SASL. It ends with this process at the latest.
 *
 * @throws Error when Java, openssl or the jars are missing, or when the broker is not ready in time.
 */
export async function startSecureKafka(plainPassword: string): Promise<SecureKafka> {
  const port = await freePorts(4);
  const certificates = await makeCertificates(SERVER_NAME);
  const directory = dirname(certificates.caFile);
  const file = join(directory, 'kafka.properties');
  await writeFile(join(directory, 'kafka.pem'), `${certificates.key}${certificates.cert}`);
  await writeFile(file, propertiesOf(port, directory, plainPassword));
  const run = async (...command: readonly string[]): Promise<void> => {
    const own = {
      KAFKA_PORT: String(port),
      KAFKA_DIR: join(tmpdir(), `skein-kafka-${String(process.pid)}-${String(port)}`),
      KAFKA_OWNER: String(process.pid),
      KAFKA_PROPERTIES: file,
    };
    // oxlint-disable-next-line node/no-process-env
    await promisify(execFile)(SCRIPT, command, { env: { ...process.env, ...own } });
  };
  const destroy = async (): Promise<void> => {
    await run('destroy');
    await certificates.remove();
  };
  try {
    await run('start', '1');
  } catch (error) {
    await destroy();
    throw error;
  }
  return {
    open: `127.0.0.1:${String(port)}`,
    login: `127.0.0.1:${String(port + 2)}`,
    certificate: `127.0.0.1:${String(port + 3)}`,
    certificates,
    user: (name, password = '') => run('user', name, password),
    destroy,
  };
}

function propertiesOf(port: number, directory: string, plainPassword: string): string {
  const address = (offset: number): string => `127.0.0.1:${String(port + offset)}`;
  const clients = `PLAINTEXT://${address(0)},SASL_SSL://${address(2)},SSL://${address(3)}`;
  const security = 'org.apache.kafka.common.security';
  return `listeners=${clients},CONTROLLER://${address(1)}
advertised.listeners=${clients}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
ssl.keystore.type=PEM
ssl.keystore.location=${directory}/kafka.pem
ssl.truststore.type=PEM
ssl.truststore.location=${directory}/ca.pem
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
connections.max.reauth.ms=${String(LOGIN_MS)}
listener.name.sasl_ssl.plain.sasl.jaas.config=${security}.plain.PlainLoginModule required user_device="${plainPassword}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=${security}.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=${security}.scram.ScramLoginModule required;
listener.name.sasl_ssl.oauthbearer.sasl.jaas.config=${security}.oauthbearer.OAuthBearerLoginModule required \\
  unsecuredLoginStringClaim_sub="broker";
`;
}
