import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import type { Transport } from '#libs/broker-core';
import { enabledListeners, loadConfig } from '#libs/config';
import { PromMeter } from '#libs/metrics-prom';
import { RecordingLog, TestAuthority, until, type TestCertificate } from '#libs/testkit';
import type { Listener } from './listener.ts';
import { TcpListener } from './tcp-listener.ts';
import { TicketKeys } from './tls/ticket-keys.ts';
import { WsListener } from './ws-listener.ts';

const DEADLINE_MS = 15_000;
const V1 = 'PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n';
const V2 = Buffer.from(
  '0d0a0d0a000d0a515549540a21210024' +
    '20010db8000000000000000000000007' +
    '00000000000000000000000000000001' +
    '000101bb',
  'hex',
);
const LOCAL = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');
let authority: TestAuthority;
let server: TestCertificate;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  authority = await TestAuthority.create();
  server = await authority.issue({ commonName: 'broker.test' });
});
afterAll(() => authority.remove());
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

interface Arrival {
  readonly address: string;
  readonly bytes: () => string;
}

/** A listener that notes who came and what was sent. */
async function openListener(
  { kind = 'tcp', proxyFrom = ['127.0.0.0/8'], isSecure = false, more = {} },
  connectTimeoutMs = 60_000,
) {
  const settings = {
    ...{ transport: kind, port: 0, proxyProtocol: 'required', proxyFrom },
    ...(isSecure && { tls: server }),
    ...more,
  };
  const env = { SKEIN_LISTENERS_TCP_ENABLED: 'false', SKEIN_LISTENERS_WS_ENABLED: 'false' };
  const file = authority.path('skein.json');
  await writeFile(file, JSON.stringify({ listeners: { front: settings } }));
  const [front] = enabledListeners(loadConfig({ env, file }));
  if (front === undefined) throw new Error('the configuration has no listener');
  const log = new RecordingLog();
  const meter = new PromMeter({
    ...{ version: '0', cluster: 'c', nodeId: 'n' },
    listeners: [{ name: 'front', connectionsMax: 10, isSecure }],
  });
  const arrivals: Arrival[] = [];
  const limits = { connectTimeoutMs, packetBytesMax: 1_000, unauthenticatedBytesMax: 65_536 };
  const accept = (transport: Transport) => {
    const chunks: Uint8Array[] = [];
    arrivals.push({
      address: transport.remoteAddress,
      bytes: () => Buffer.concat(chunks).toString(),
    });
    return {
      received: (chunk: Uint8Array) => void chunks.push(Uint8Array.from(chunk)),
      drained: () => undefined,
      ended: () => undefined,
    };
  };
  const options = {
    ...{ settings: front, connectionsMax: 10, limits, accept, meter, log },
    tickets: new TicketKeys(3_600, undefined),
  };
  const listener: Listener =
    kind === 'tcp'
      ? new TcpListener(options)
      : new WsListener({
          ...options,
          path: '/mqtt',
        });
  await listener.prepare();
  await listener.open();
  cleanups.push(() => listener.close());
  const port = Number(new URL(listener.address).port);
  const rejected = async (reason: string): Promise<boolean> =>
    new RegExp(`sockets_rejected_total\\{listener="front",reason="${reason}"\\} [1-9]`).test(
      (await meter.expose()).body,
    );
  return { port, arrivals, log, rejected };
}

async function connect(port: number): Promise<Socket> {
  const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  socket.resume();
  cleanups.push(() => socket.destroy());
  // Whoever is refused may hear of it before it hears that it is connected.
  await until(() => !socket.connecting, DEADLINE_MS);
  return socket;
}

/** A reset is a way to say no. */
const closed = (socket: Socket): Promise<unknown> => until(() => socket.closed, DEADLINE_MS);

describe('a listener behind a proxy', () => {
  it('knows the client by the header, and begins with what follows it', async () => {
    const { port, arrivals } = await openListener({});

    (await connect(port)).write(`${V1}first`);
    await until(() => arrivals[0]?.bytes() === 'first', DEADLINE_MS);
    (await connect(port)).write(Buffer.concat([V2, Buffer.from('second')]));
    await until(() => arrivals[1]?.bytes() === 'second', DEADLINE_MS);
    expect(arrivals.map(({ address }) => address)).toEqual(['192.0.2.7', '2001:db8::7']);
  });

  it('takes the header in pieces, and goes on reading', async () => {
    const { port, arrivals } = await openListener({});
    const socket = await connect(port);
    for (const byte of V2) {
      socket.write(Uint8Array.of(byte));
      await new Promise(setImmediate);
    }
    await until(() => arrivals.length === 1, DEADLINE_MS);

    socket.write('one ');
    await until(() => arrivals[0]?.bytes() === 'one ', DEADLINE_MS);
    socket.write('two');
    await until(() => arrivals[0]?.bytes() === 'one two', DEADLINE_MS);
    expect(arrivals[0]?.address).toBe('2001:db8::7');
  });

  it('keeps the address of the peer where the proxy speaks for itself', async () => {
    const { port, arrivals } = await openListener({});

    (await connect(port)).write(LOCAL);
    await until(() => arrivals.length === 1, DEADLINE_MS);
    (await connect(port)).write('PROXY UNKNOWN\r\n');
    await until(() => arrivals.length === 2, DEADLINE_MS);
    expect(arrivals.map(({ address }) => address)).toEqual(['127.0.0.1', '127.0.0.1']);
  });

  it('begins TLS after the header, also when both come at once', async () => {
    const { port, arrivals } = await openListener({ isSecure: true });
    const ca = await readFile(authority.caFile, 'utf8');
    const raw = await connect(port);
    raw.cork();
    raw.write(V1);
    const socket = connectTls({ socket: raw, ca, servername: 'broker.test' });
    cleanups.push(() => socket.destroy());
    setImmediate(() => raw.uncork());
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(DEADLINE_MS) });

    socket.write('over TLS');
    await until(() => arrivals[0]?.bytes() === 'over TLS', DEADLINE_MS);
    expect(arrivals[0]?.address).toBe('192.0.2.7');
  });

  it.each([false, true])('carries WebSocket (TLS: %s)', async (isSecure) => {
    const { port, arrivals } = await openListener({ kind: 'ws', isSecure });
    const ca = await readFile(authority.caFile, 'utf8');
    const raw = await connect(port);
    raw.write(V2);
    const socket = new WebSocket(`${isSecure ? 'wss' : 'ws'}://broker.test/mqtt`, 'mqtt', {
      createConnection: () =>
        isSecure ? connectTls({ socket: raw, ca, servername: 'broker.test' }) : raw,
    });
    cleanups.push(() => socket.terminate());
    await once(socket, 'open', { signal: AbortSignal.timeout(DEADLINE_MS) });

    socket.send(Buffer.from('over WebSocket'));
    await until(() => arrivals[0]?.bytes() === 'over WebSocket', DEADLINE_MS);
    expect(arrivals[0]?.address).toBe('2001:db8::7');
  });
});

describe('what is refused behind a proxy', () => {
  it('comes from anywhere else', async () => {
    const { port, arrivals, log, rejected } = await openListener({ proxyFrom: ['192.0.2.0/24'] });
    const socket = await connect(port);
    socket.write(`${V1}spoofed`);

    await closed(socket);
    expect(arrivals).toEqual([]);
    expect(await rejected('proxy_untrusted')).toBe(true);
    expect(log.lines).toEqual([
      expect.objectContaining({
        event: 'connections-refused',
        fields: { listener: 'front', reason: 'proxy_untrusted', address: '127.0.0.1' },
      }),
    ]);
  });

  it.each([
    ['no header', Buffer.from('101000044d5154540402003c000473656c66', 'hex')],
    ['a header that is none', Buffer.from('PROXY TCP4 192.0.2.700 10.0.0.1 1 2\r\n')],
    ['a line without end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(100_000)}`)],
    ['a block that is too large', Buffer.from('0d0a0d0a000d0a515549540a2111ffff00', 'hex')],
  ])('has %s', async (_, bytes) => {
    const { port, arrivals, rejected } = await openListener({});
    const socket = await connect(port);
    socket.write(bytes);

    await closed(socket);
    expect(arrivals).toEqual([]);
    expect(await rejected('proxy_header')).toBe(true);
  });

  it('comes too fast from the address in the header, whatever that of the proxy is', async () => {
    const more = { connectsPerSecondPerAddress: 1, connectBurstPerAddress: 1 };
    const { port, arrivals, rejected } = await openListener({ more });
    (await connect(port)).write(V1);
    await until(() => arrivals.length === 1, DEADLINE_MS);
    (await connect(port)).write(V2);
    await until(() => arrivals.length === 2, DEADLINE_MS);
    const sockets: Socket[] = [];
    await until(async () => {
      const socket = await connect(port);
      socket.write(V2);
      sockets.push(socket);
      return sockets.some((each) => each.closed);
    }, DEADLINE_MS);
    expect(await rejected('address_rate')).toBe(true);
  });

  it('does not end its header in time', async () => {
    const { port, arrivals, rejected } = await openListener({}, 1);
    const socket = await connect(port);
    socket.write(V1.slice(0, 20));

    await closed(socket);
    expect(arrivals).toEqual([]);
    expect(await rejected('timeout')).toBe(true);
  });
});
