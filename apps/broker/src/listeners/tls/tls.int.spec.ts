import { copyFile, readFile, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Transport } from '#libs/broker-core';
import { enabledListeners, loadConfig } from '#libs/config';
import { PromMeter } from '#libs/metrics-prom';
import { RecordingLog, TestAuthority, until, type TestCertificate } from '#libs/testkit';
import type { ListenerOptions } from '../listener.ts';
import { ServerPort, type Peer } from '../server-port.ts';
import { TicketKeys } from './ticket-keys.ts';
import { TlsDoor } from './tls-door.ts';

const LIMITS = { connectTimeoutMs: 5_000, packetBytesMax: 1_000, unauthenticatedBytesMax: 1_000 };

const DEADLINE_MS = 20_000;
/** By an alert, or by what a closed connection does to who writes to it. */
const REFUSED = /alert|closed|ECONNRESET|EPIPE/;
let authority: TestAuthority;
let server: TestCertificate;
let other: TestCertificate;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  authority = await TestAuthority.create();
  server = await authority.issue({ commonName: 'broker.test' });
  other = await authority.issue({
    commonName: 'other.test',
    names: 'DNS:other.test,DNS:*.wild.test',
  });
});
afterAll(() => authority.remove());
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

/** A copy of a certificate's files that a test may overwrite. */
async function copyOf(certificate: TestCertificate, name: string): Promise<TestCertificate> {
  const copy = { certFile: authority.path(`${name}.crt`), keyFile: authority.path(`${name}.key`) };
  await copyTo(copy, certificate);
  return copy;
}

async function copyTo(to: TestCertificate, from: TestCertificate): Promise<void> {
  await copyFile(from.certFile, to.certFile);
  await copyFile(from.keyFile, to.keyFile);
}

type TlsSettings = object;

function optionsOf(tls: TlsSettings, tickets = new TicketKeys(3_600, undefined)) {
  const text = JSON.stringify({ ...server, ...tls });
  const file = authority.path('skein.yaml');
  return writeFile(
    file,
    `listeners: { tcp: { enabled: false }, ws: { enabled: false }, tls: { enabled: true, port: 0, tls: ${text} } }`,
  ).then(() => {
    const [settings] = enabledListeners(loadConfig({ env: {}, file }));
    if (settings === undefined) throw new Error('the configuration has no listener');
    const log = new RecordingLog();
    const meter = new PromMeter({
      ...{ version: '0', cluster: 'c', nodeId: 'n' },
      listeners: [{ name: 'tls', connectionsMax: 10, isSecure: true }],
    });
    const accept = (_transport: Transport): never => {
      throw new Error('a port hands over sockets');
    };
    return {
      ...{ settings, connectionsMax: 10, limits: LIMITS },
      tickets,
      accept,
      meter,
      log,
    };
  });
}

/** A port that remembers who came and greets them. */
async function openPort(options: ListenerOptions) {
  const peers: Peer[] = [];
  const sockets: Socket[] = [];
  const port: ServerPort = new ServerPort(options, (socket) => {
    const peer = port.admit(socket);
    if (peer === undefined) return;
    peers.push(peer);
    sockets.push(socket);
    socket.on('data', (data) => socket.write(data));
    socket.write('hello');
  });
  await port.prepare();
  await port.open();
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    await port.close();
  });
  return { number: Number(port.authority.split(':').at(-1)), peers };
}

/** Connects and waits for the greeting; rejects when the handshake fails or the server hangs up. */
async function greet(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({
    ...{ port, host: '127.0.0.1', servername: 'broker.test' },
    ...{ ca: await readPem(authority.caFile), ...options },
  });
  cleanups.push(() => socket.destroy());
  return new Promise((resolve, reject) => {
    socket.once('data', () => resolve(socket));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}

function readPem(file: string): Promise<string> {
  return readFile(file, 'utf8');
}

async function clientFiles(certificate: TestCertificate): Promise<ConnectionOptions> {
  return { cert: await readPem(certificate.certFile), key: await readPem(certificate.keyFile) };
}

const nameOf = (socket: TLSSocket): unknown => socket.getPeerCertificate().subject.CN;

describe('a TLS listener', () => {
  it('shows the certificate of the name that a client asks for', async () => {
    const { number } = await openPort(
      await optionsOf({ sni: [{ names: ['other.test', '*.wild.test'], ...other }] }),
    );

    expect(nameOf(await greet(number))).toBe('broker.test');
    expect(nameOf(await greet(number, { servername: 'other.test' }))).toBe('other.test');
    expect(nameOf(await greet(number, { servername: 'a.wild.test' }))).toBe('other.test');
    const deeper = { servername: 'a.b.wild.test', checkServerIdentity: () => undefined };
    expect(nameOf(await greet(number, deeper))).toBe('broker.test');
  });

  it('speaks no version below the lowest, and tells failed handshakes apart in its metrics', async () => {
    const options = await optionsOf({ minVersion: 'TLSv1.3' });
    const { number } = await openPort(options);

    await expect(greet(number, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/);
    expect((await greet(number)).getProtocol()).toBe('TLSv1.3');
    const { body: text } = await options.meter.expose();
    expect(text).toContain(
      'tls_handshakes_total{listener="tls",outcome="error",resumed="false"} 1',
    );
    expect(text).toContain('tls_handshakes_total{listener="tls",outcome="ok",resumed="false"} 1');
    expect(text).toContain('sockets_rejected_total{listener="tls",reason="tls_error"} 1');
    const notAfterMs = Date.parse((await greet(number)).getPeerCertificate().valid_to);
    expect(text).toMatch(
      new RegExp(
        `certificate_not_after_timestamp_seconds\\{listener="tls"\\} ${notAfterMs / 1_000}`,
      ),
    );
  });
});

describe('certificates of clients', () => {
  it('are required, and tell who the client is', async () => {
    const device = await authority.issue({
      commonName: 'device-7',
      names: 'DNS:device-7.test,URI:urn:device:7',
    });
    const caFile = authority.caFile;
    const { number, peers } = await openPort(
      await optionsOf({ caFile, clientCertificate: 'require' }),
    );

    await expect(greet(number)).rejects.toThrow(REFUSED);
    const socket = await greet(number, await clientFiles(device));
    expect(peers).toEqual([
      {
        address: '127.0.0.1',
        certificate: {
          commonName: 'device-7',
          sans: ['DNS:device-7.test', 'URI:urn:device:7'],
          fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
          notAfterMs: expect.any(Number),
        },
      },
    ]);
    expect(socket.authorized).toBe(true);
  });

  it('may be absent when they are only asked for, but a false one is refused', async () => {
    const stranger = await TestAuthority.create('a stranger');
    cleanups.push(() => stranger.remove());
    const forged = await stranger.issue({ commonName: 'device-7' });
    const { number, peers } = await openPort(
      await optionsOf({ caFile: authority.caFile, clientCertificate: 'request' }),
    );

    await greet(number);
    await expect(greet(number, await clientFiles(forged))).rejects.toThrow(REFUSED);
    expect(peers).toEqual([{ address: '127.0.0.1' }]);
  });

  it('count no more when a new list revokes them, not even with a ticket from before', async () => {
    const revoked = await authority.issue({ commonName: 'revoked' });
    const device = await clientFiles(revoked);
    const good = await clientFiles(await authority.issue({ commonName: 'good' }));
    const crlFile = authority.path('crl.pem');
    await authority.crl(crlFile);
    const options = await optionsOf({
      caFile: authority.caFile,
      crlFile,
      clientCertificate: 'require',
    });
    const { number, peers } = await openPort(options);
    const session = await sessionOf(number, device);
    await authority.revoke(revoked);
    await authority.crl(crlFile);
    await until(() => options.log.lines.some(({ event }) => event === 'tls-reloaded'), DEADLINE_MS);

    await expect(greet(number, device)).rejects.toThrow(REFUSED);
    await expect(greet(number, { ...device, session })).rejects.toThrow(REFUSED);
    await greet(number, good);
    expect(peers.map(({ certificate }) => certificate?.commonName)).toEqual(['revoked', 'good']);
  });
});

/** Connects and returns the session that the ticket carries. */
async function sessionOf(port: number, options: ConnectionOptions = {}): Promise<Buffer> {
  let session: Buffer | undefined;
  const socket = connect({
    ...{ port, host: '127.0.0.1', servername: 'broker.test' },
    ...{ ca: await readPem(authority.caFile), ...options },
  });
  cleanups.push(() => socket.destroy());
  socket.on('session', (data: Buffer) => (session = data));
  socket.resume();
  await until(() => session !== undefined, DEADLINE_MS);
  return session ?? Buffer.of();
}

describe('files that change', () => {
  it('are taken up while connections go on, and bad ones change nothing but the log', async () => {
    const files = await copyOf(server, 'live');
    const options = await optionsOf(files);
    const { number } = await openPort(options);
    const first = await greet(number);
    const events = () => options.log.lines.map(({ event }) => event);

    await writeFile(files.keyFile, 'not a key');
    await until(() => events().includes('tls-not-reloaded'), 2 * DEADLINE_MS);
    expect(nameOf(await greet(number))).toBe('broker.test');
    await copyTo(files, other);
    await until(() => events().includes('tls-reloaded'), 2 * DEADLINE_MS);
    expect(nameOf(await greet(number, { servername: 'other.test' }))).toBe('other.test');
    const answer = new Promise((resolve) => first.once('data', resolve));
    first.write('still here');
    expect(String(await answer)).toBe('still here');
    expect(events().filter((event) => event === 'tls-not-reloaded')).toHaveLength(1);
  });

  it('are no fault when they are replaced one after the other', async () => {
    const files = await copyOf(server, 'slow');
    const options = await optionsOf(files);
    const door = new TlsDoor(
      options,
      { ...options.settings.tls, ...files } as never,
      () => undefined,
    );
    await door.load();

    await copyFile(other.certFile, files.certFile);
    await door.look();
    await copyFile(other.keyFile, files.keyFile);
    await door.look();
    expect(options.log.lines.map(({ event }) => event)).toEqual(['tls-reloaded']);
  });
});

describe('at the start', () => {
  const faultOf = async (tls: TlsSettings): Promise<string> => {
    const options = await optionsOf(tls);
    const port = new ServerPort(options, () => undefined);
    return port.prepare().then(
      () => '',
      (error: Error) => error.message,
    );
  };

  it('names the file that cannot be used', async () => {
    const expired = await authority.issue({ commonName: 'old.test', endDate: '200201000000Z' });
    const fix = 'correct the file or its path';

    expect(await faultOf({ certFile: authority.path('absent') })).toBe(
      `listeners.tls.tls.certFile: cannot be read (ENOENT); ${fix}`,
    );
    expect(await faultOf({ keyFile: other.keyFile })).toBe(
      `listeners.tls.tls.keyFile: does not belong to the certificate; ${fix}`,
    );
    expect(await faultOf(expired)).toMatch(/^listeners\.tls\.tls\.certFile: expired on Feb {2}1/);
    expect(await faultOf({ keyFile: server.certFile })).toBe(
      `listeners.tls.tls.keyFile: holds no private key without a passphrase; ${fix}`,
    );
    expect(await faultOf({ caFile: server.keyFile })).toBe(
      `listeners.tls.tls.caFile: holds no certificate; ${fix}`,
    );
    expect(await faultOf({ caFile: authority.caFile, crlFile: authority.caFile })).toBe(
      `listeners.tls.tls.crlFile: is no revocation list; ${fix}`,
    );
    expect(await faultOf({ sni: [{ names: ['a.b'], ...other, keyFile: server.keyFile }] })).toBe(
      `listeners.tls.tls.sni[0].keyFile: does not belong to the certificate; ${fix}`,
    );
  });
});

describe('session tickets', () => {
  const SECRET = 'a secret of all nodes';

  it('shorten the handshake at another node that has the same secret', async () => {
    const [first, second, alone] = await Promise.all(
      [SECRET, SECRET, 'another'].map(async (secret) =>
        openPort(await optionsOf({}, new TicketKeys(86_400, secret))),
      ),
    );
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const session = await sessionOf(first?.number ?? 0, { maxVersion });
      const reused = async (port = 0) =>
        (await greet(port, { session, maxVersion })).isSessionReused();

      expect(await reused(second?.number)).toBe(true);
      expect(await reused(alone?.number)).toBe(false);
    }
  });

  it('carry the certificate of the client', async () => {
    const device = await clientFiles(await authority.issue({ commonName: 'device-8' }));
    const tls = { caFile: authority.caFile, clientCertificate: 'require' };
    const first = await openPort(await optionsOf(tls, new TicketKeys(86_400, SECRET)));
    const second = await openPort(await optionsOf(tls, new TicketKeys(86_400, SECRET)));
    const session = await sessionOf(first.number, device);

    const socket = await greet(second.number, { session });
    expect(socket.isSessionReused()).toBe(true);
    expect(second.peers[0]?.certificate?.commonName).toBe('device-8');
  });
});
