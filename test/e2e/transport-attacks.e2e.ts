import { readFile } from 'node:fs/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { TestAuthority, freePort, until } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { report } from './harness/report.ts';
import { Scope } from './harness/scope.ts';
import { stillServed } from './harness/still-served.ts';

const DEADLINE_MS = 20_000;
const DRIP_MS = 20;
const MIB = 1024 * 1024;
const CONNECT = Buffer.from('101000044d5154540402003c00046c617465', 'hex');
/** The begin of a CONNECT that announces more than it will ever send. */
const CONNECT_BEGUN = Buffer.from('10ff3f00044d51545405', 'hex');
/** The begin of a TLS record of 512 bytes with a ClientHello. */
const HELLO_BEGUN = Buffer.from('1603010200010001fc0303', 'hex');
/** A CONNECT of 268,435,455 bytes. */
const HUGE_CONNECT = Buffer.from('10ffffff7f00044d51545405', 'hex');
/** The begin of a WebSocket, and of a message of 1 MiB in it. */
const WS_UPGRADE =
  'GET /mqtt HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-protocol: mqtt\r\n\r\n';
const WS_BEGUN = Buffer.from('82ff000000000010000000000000', 'hex');
const HUGE_SENDERS = 8;
const HUGE_BYTES_SENT = 48 * MIB;
const ROUNDS = 4;
const GROWTH_BYTES_MAX = 64 * MIB;
/** With a small heap garbage is collected soon, so that what grows is what is kept. */
const NODE_ARGS = ['--max-old-space-size=80', '--max-semi-space-size=4'];

jest.setTimeout(120_000);

const scope = new Scope();
let authority: TestAuthority;
let ca: Buffer;

beforeAll(async () => {
  authority = await TestAuthority.create();
  ca = await readFile(authority.caFile);
});
afterAll(async () => {
  await scope.close();
  await authority.remove();
});

interface SecureBroker {
  readonly node: Broker;
  readonly tlsPort: number;
}

/** A node with the listeners tcp, ws and tls. */
async function startNode(
  settings: Record<string, string | number>,
  nodeArgs: readonly string[] = [],
): Promise<SecureBroker> {
  const server = await authority.issue({ commonName: 'localhost', names: 'IP:127.0.0.1' });
  const tlsPort = await freePort();
  const tls = {
    LISTENERS_TLS_ENABLED: 'true',
    LISTENERS_TLS_PORT: tlsPort,
    LISTENERS_TLS_TLS_CERT_FILE: server.certFile,
    LISTENERS_TLS_TLS_KEY_FILE: server.keyFile,
  };
  const node = await Broker.start(scope, { ...tls, ...settings }, { nodeArgs });
  return { node, tlsPort };
}

function watch<Stream extends Socket>(socket: Stream): Stream {
  // A reset is a way to say no.
  socket.on('error', () => undefined);
  socket.resume();
  scope.add(() => socket.destroy());
  return socket;
}

const open = (port: number, localAddress = '127.0.0.1'): Socket =>
  watch(connectTcp({ port, host: '127.0.0.1', localAddress, noDelay: true }));

const openTls = (port: number): Socket => watch(connectTls({ port, host: '127.0.0.1', ca }));

/** Sends a begin, and a byte now and then for as long as the connection is there: it is never silent, and never ready. */
function drip(socket: Socket, begun: Buffer | string): void {
  socket.write(begun);
  const dripping = setInterval(() => socket.write('x'), DRIP_MS);
  socket.once('close', () => clearInterval(dripping));
}

const rejected = ({ node }: SecureBroker, listener: string, reason: string): Promise<number> =>
  node.ops.metric(
    'skein_broker_sockets_rejected_total',
    `listener="${listener}",reason="${reason}"`,
  );

const memory = ({ node }: SecureBroker): Promise<number> =>
  node.ops.metric('process_resident_memory_bytes');

describe('whoever is slow before MQTT begins', () => {
  let broker: SecureBroker;
  let client: Client;
  const COUNT = 100;

  beforeAll(async () => {
    broker = await startNode({
      LIMITS_CONNECT_TIMEOUT_MS: 1_500,
      LISTENERS_TLS_TLS_HANDSHAKE_TIMEOUT_MS: 1_500,
    });
    client = await Client.connect(scope, broker.node.url);
  });

  const attacks: readonly (readonly [string, () => Socket, Buffer | string])[] = [
    ['sends its CONNECT byte by byte', () => open(broker.node.port), CONNECT_BEGUN],
    ['sends its ClientHello byte by byte', () => open(broker.tlsPort), HELLO_BEGUN],
    ['sends its CONNECT byte by byte over TLS', () => openTls(broker.tlsPort), CONNECT_BEGUN],
    [
      'sends its HTTP request byte by byte',
      () => open(Number(new URL(broker.node.wsUrl).port)),
      'GET /mqtt HTTP/1.1\r\nhost: x\r\nx-slow: ',
    ],
  ];

  it.each(attacks)(
    'and %s is closed in time, while others are served',
    async (name, enter, begun) => {
      const sockets = Array.from({ length: COUNT }, () => {
        const socket = enter();
        drip(socket, begun);
        return socket;
      });

      await until(() => sockets.every((socket) => !socket.connecting), DEADLINE_MS);
      expect(await stillServed(client, `slow/${name}`)).toBe(true);
      await until(() => sockets.every((socket) => socket.closed), DEADLINE_MS);
    },
  );
});

it('takes no memory for what eight connections announce before they are known', async () => {
  const broker = await startNode({}, NODE_ARGS);
  const client = await Client.connect(scope, broker.node.url);
  let sent = 0;
  const chunk = Buffer.alloc(MIB);
  const flood = (socket: Socket): Promise<unknown> => {
    socket.write(HUGE_CONNECT);
    let left = HUGE_BYTES_SENT;
    const pump = (): void => {
      while (left > 0 && !socket.destroyed) {
        left -= chunk.length;
        sent += chunk.length;
        if (!socket.write(chunk)) return;
      }
    };
    socket.on('drain', pump);
    pump();
    return until(() => socket.closed, DEADLINE_MS);
  };
  const doors = [() => open(broker.node.port), () => openTls(broker.tlsPort)];
  const round = async (): Promise<void> => {
    for (const enter of doors) {
      await Promise.all(Array.from({ length: HUGE_SENDERS }, () => flood(enter())));
    }
  };
  await round();
  const before = await memory(broker);
  const warmUpBytes = sent;
  for (let count = 0; count < ROUNDS; count += 1) await round();
  const after = await memory(broker);

  const mebibytes = (bytes: number): string => (bytes / MIB).toFixed(1);
  report(
    `${String(ROUNDS)} x ${String(2 * HUGE_SENDERS)} connections that announce 256 MiB: ${mebibytes(sent - warmUpBytes)} MiB sent, ` +
      `memory ${mebibytes(before)} MiB before, ${mebibytes(after)} MiB after`,
  );
  expect(after - before).toBeLessThan(GROWTH_BYTES_MAX);
  expect(await stillServed(client, 'after/huge')).toBe(true);
});

it('collects no message of a WebSocket whose client is not known', async () => {
  const broker = await startNode({ LIMITS_CONNECT_TIMEOUT_MS: 600_000 });
  const port = Number(new URL(broker.node.wsUrl).port);
  const sockets = Array.from({ length: 50 }, () => {
    const socket = open(port);
    socket.write(WS_UPGRADE);
    socket.once('data', () => {
      socket.write(WS_BEGUN);
      socket.write(Buffer.alloc(MIB - 1));
    });
    return socket;
  });

  await until(() => sockets.every((socket) => socket.closed), DEADLINE_MS);
  // Whoever is known may send what is larger, in whatever pieces.
  const client = await Client.connect(scope, broker.node.wsUrl);
  await client.subscribe('large');
  await client.publish('large', 'x'.repeat(MIB / 2));
  await until(() => client.received.length === 1, DEADLINE_MS);
  expect(client.received[0]?.payload.length).toBe(MIB / 2);
});

describe('a flood of connections', () => {
  let broker: SecureBroker;
  const BURST = 40;
  const BURST_OF_ONE = 10;

  beforeAll(async () => {
    const rates = Object.fromEntries(
      ['TCP', 'TLS'].flatMap((name) => [
        [`LISTENERS_${name}_CONNECTS_PER_SECOND`, 2],
        [`LISTENERS_${name}_CONNECT_BURST`, BURST],
        [`LISTENERS_${name}_CONNECTS_PER_SECOND_PER_ADDRESS`, 1],
        [`LISTENERS_${name}_CONNECT_BURST_PER_ADDRESS`, BURST_OF_ONE],
      ]),
    );
    broker = await startNode({ ...rates, LISTENERS_TLS_TLS_HANDSHAKE_TIMEOUT_MS: 120_000 });
  });

  const refusalsTold = (reason: string): number =>
    broker.node.child.stdout
      .split('\n')
      .filter((line) => line.includes(' connections-refused ') && line.includes(reason)).length;

  it('from one address takes nothing from others, and costs no handshake', async () => {
    const sockets = Array.from({ length: 500 }, () => open(broker.tlsPort, '127.0.0.2'));
    await until(() => sockets.filter(({ closed }) => closed).length > 400, DEADLINE_MS);

    expect(await rejected(broker, 'tls', 'address_rate')).toBeGreaterThan(400);
    expect(await rejected(broker, 'tls', 'connect_rate')).toBe(0);
    expect(await broker.node.ops.metric('skein_broker_tls_handshakes_total')).toBe(0);
    const url = `mqtts://127.0.0.1:${String(broker.tlsPort)}`;
    const client = await Client.connect(scope, url, { ca });
    expect(await stillServed(client, 'flood/one')).toBe(true);
    expect(refusalsTold('address_rate')).toBe(1);
  });

  it('from many addresses is bounded in all, and memory stays flat', async () => {
    const client = await Client.connect(scope, broker.node.url);
    const before = await memory(broker);
    const WAVES = 10;
    const WAVE = 300;
    for (let wave = 0; wave < WAVES; wave += 1) {
      const sockets = Array.from({ length: WAVE }, (_, index) =>
        open(broker.node.port, `127.${10 + wave}.${index >> 8}.${1 + (index & 127)}`),
      );
      await until(() => sockets.filter(({ closed }) => closed).length > WAVE - BURST, DEADLINE_MS);
      for (const socket of sockets) socket.destroy();
    }
    const after = await memory(broker);

    const refused = await rejected(broker, 'tcp', 'connect_rate');
    report(
      `${WAVES * WAVE} connections from as many addresses: ${refused} refused, memory ${(before / MIB).toFixed(1)} MiB before, ` +
        `${(after / MIB).toFixed(1)} MiB after`,
    );
    expect(refused).toBeGreaterThan(WAVES * WAVE - 10 * BURST);
    expect(after - before).toBeLessThan(GROWTH_BYTES_MAX);
    expect(await stillServed(client, 'flood/many')).toBe(true);
    expect(refusalsTold('connect_rate')).toBe(1);
    let isAnswered = false;
    await until(async () => {
      const late = open(broker.node.port);
      late.on('data', () => (isAnswered = true));
      late.write(CONNECT);
      await until(() => isAnswered || late.closed, DEADLINE_MS);
      return isAnswered;
    }, DEADLINE_MS);
  });
});
