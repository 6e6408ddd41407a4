import { connect } from 'node:net';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { IConnackPacket } from 'mqtt-packet';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { Client } from './harness/client.ts';
import { startCluster } from './harness/cluster.ts';
import { RawClient } from './harness/raw-client.ts';
import { Scope } from './harness/scope.ts';
import { stillServed } from './harness/still-served.ts';

const DEADLINE_MS = 20_000;
const BANNED = 0x8a;
const PARTNER = 'PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n';
const OUTCAST = 'PROXY TCP4 198.51.100.9 10.0.0.1 56324 443\r\n';
const CONNECT = Buffer.from('101000044d5154540402003c00046c617465', 'hex');

jest.setTimeout(120_000);

const scope = new Scope();
afterEach(() => scope.close());

/** The code of the CONNACK; undefined when the connection ends without one. */
async function codeOf(client: RawClient, clientId: string): Promise<number | undefined> {
  client.send({ cmd: 'connect', clientId, clean: true, keepalive: 60 } as never);
  const connack = (): IConnackPacket | undefined =>
    client.packets.find((packet): packet is IConnackPacket => packet.cmd === 'connack');
  await until(() => connack() !== undefined || client.isClosed, DEADLINE_MS);
  return connack()?.reasonCode;
}

/** Connects and is gone. */
async function visit(node: Broker | undefined, clientId: string): Promise<number | undefined> {
  const client = await RawClient.open(scope, node?.port ?? 0);
  const code = await codeOf(client, clientId);
  client.leave();
  return code;
}

describe('whoever says that it is somewhere else', () => {
  const BURST = 10;

  const startBehind = (settings = {}): Promise<Broker> =>
    Broker.start(scope, {
      LISTENERS_TCP_PROXY_PROTOCOL: 'required',
      LISTENERS_TCP_PROXY_FROM: '127.0.0.1/32',
      ...settings,
    });

  const codeBehind = async ({ port }: Broker, header: string): Promise<number | undefined> =>
    codeOf(await RawClient.behind(scope, port, header), '');

  const rejected = (node: Broker, reason: string): Promise<number> =>
    node.ops.metric('skein_broker_sockets_rejected_total', `reason="${reason}"`);

  it('is not heard when it is not the proxy', async () => {
    const node = await startBehind();
    const socket = connect({ port: node.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    scope.add(() => socket.destroy());
    let answer = 0;
    socket.on('error', () => undefined);
    socket.on('data', ({ length }) => (answer += length));
    socket.write(Buffer.concat([Buffer.from(PARTNER), CONNECT]));
    await until(() => socket.closed, DEADLINE_MS);
    expect(answer).toBe(0);
    expect(await rejected(node, 'proxy_untrusted')).toBe(1);
    expect(await codeBehind(node, PARTNER)).toBe(0);
  });

  it('stays banned wherever it comes through', async () => {
    const node = await startBehind();
    const api = await Api.start(scope, node.settings);
    const body = { kind: 'cidr', value: '198.51.100.0/24', reason: 'scans' };
    expect((await api.call('createBan', { body })).status).toBe(201);
    await until(async () => (await codeBehind(node, OUTCAST)) === BANNED, DEADLINE_MS);
    // A second header is no header: it is the first byte of a packet that nobody may begin with.
    expect(await codeBehind(node, OUTCAST + PARTNER)).toBeUndefined();
    expect(await codeBehind(node, PARTNER)).toBe(0);
  });

  it('takes nothing from others behind the same proxy by coming often', async () => {
    const node = await startBehind({
      LISTENERS_TCP_CONNECTS_PER_SECOND_PER_ADDRESS: 1,
      LISTENERS_TCP_CONNECT_BURST_PER_ADDRESS: BURST,
    });
    const codes = await Promise.all(
      Array.from({ length: 100 }, () => codeBehind(node, OUTCAST).catch(() => undefined)),
    );
    expect(codes.filter((code) => code === 0).length).toBeGreaterThanOrEqual(BURST);
    expect(await rejected(node, 'address_rate')).toBeGreaterThan(0);
    expect(await codeBehind(node, PARTNER)).toBe(0);
  });
});

describe('a client id that comes and goes', () => {
  it('is banned on every node of a cluster, until the ban is lifted', async () => {
    const { nodes, redis } = await startCluster(scope, { FLAPPING_CONNECTIONS_MAX: 20 });
    const api = await Api.start(scope, redis);
    const other = await Client.connect(scope, nodes[0].url);
    let visits = 0;
    await until(async () => {
      visits += 1;
      return (await visit(nodes[0], 'twin')) === BANNED;
    }, DEADLINE_MS);
    expect(visits).toBeGreaterThan(20);
    for (const node of nodes) {
      await until(async () => (await visit(node, 'twin')) === BANNED, DEADLINE_MS);
    }
    const { body } = await api.call('listBans');
    expect(body).toMatchObject({ items: [{ kind: 'client_id', value: 'twin', by: 'flapping' }] });
    expect(await nodes[0].ops.metric('skein_broker_flapping_total', 'client_id')).toBe(1);
    expect(await stillServed(other, 'others/a')).toBe(true);

    const [{ id = '' } = {}] = (body as { readonly items: readonly { readonly id?: string }[] })
      .items;
    expect((await api.call('deleteBan', { path: { ban_id: id } })).status).toBe(204);
    for (const node of nodes) {
      await until(async () => (await visit(node, 'twin')) === 0, DEADLINE_MS);
    }
  });
});
