import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ISubackPacket } from 'mqtt-packet';
import { until } from '#libs/testkit';
import { Api } from './harness/api.ts';
import { Broker } from './harness/broker.ts';
import { RawClient } from './harness/raw-client.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 15_000;
const NOT_AUTHORISED = 0x87;
const PARTNER = 'PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n';
const STRANGER = 'PROXY TCP4 198.51.100.9 10.0.0.1 56324 443\r\n';
const PARTNER_V2 = Buffer.from(
  '0d0a0d0a000d0a515549540a2111000c' + 'c0000207' + '0a000001' + 'dc0401bb',
  'hex',
);
const V6 = Buffer.from(
  `0d0a0d0a000d0a515549540a21210024${'20010db8000000000000000000000007'}${'0'.repeat(31)}1dc0401bb`,
  'hex',
);

const scope = new Scope();
let behind: Broker;
let direct: Broker;

beforeAll(async () => {
  behind = await Broker.start(scope, {
    LISTENERS_TCP_PROXY_PROTOCOL: 'required',
    LISTENERS_TCP_PROXY_FROM: '127.0.0.1/32',
    LISTENERS_WS_PROXY_PROTOCOL: 'required',
    LISTENERS_WS_PROXY_FROM: '192.0.2.0/24',
    ACL_RULES: JSON.stringify([
      { effect: 'allow', topics: ['#'], who: { addresses: ['192.0.2.0/24'] } },
    ]),
    ACL_DEFAULT: 'deny',
  });
  direct = await Broker.start(scope);
});
afterAll(() => scope.close());

/** Connects as a client and returns what a subscription is answered with. */
async function granted(client: RawClient, clientId: string): Promise<unknown> {
  client.send({ cmd: 'connect', clientId, clean: true, keepalive: 60 } as never, {
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: [{ topic: 'a/b', qos: 1 }],
  });
  await until(() => client.packets.some(({ cmd }) => cmd === 'suback'), WAIT_MS);
  const suback = client.packets.find((packet): packet is ISubackPacket => packet.cmd === 'suback');
  return suback?.granted[0];
}

const rejected = (broker: Broker, reason: string): Promise<number> =>
  broker.ops.metric('skein_broker_sockets_rejected_total', `reason="${reason}"`);

describe('the header of a proxy', () => {
  it('is where the client is: for rules, and for the API', async () => {
    const partner = await RawClient.behind(scope, behind.port, PARTNER);
    const second = await RawClient.behind(scope, behind.port, PARTNER_V2);
    const stranger = await RawClient.behind(scope, behind.port, STRANGER);

    expect(await granted(partner, 'partner')).toBe(1);
    expect(await granted(second, 'second')).toBe(1);
    expect(await granted(stranger, 'stranger')).toBe(NOT_AUTHORISED);
    await granted(await RawClient.behind(scope, behind.port, V6), 'six');
    const api = await Api.start(scope, behind.settings);
    const addressOf = async (clientId: string) =>
      (await api.call('getClient', { path: { client_id: clientId } })).body;
    expect(await addressOf('second')).toMatchObject({ remote_address: '192.0.2.7' });
    expect(await addressOf('stranger')).toMatchObject({ remote_address: '198.51.100.9' });
    expect(await addressOf('six')).toMatchObject({ remote_address: '2001:db8::7' });
  });

  it('cannot be left out, sent in part, or sent twice', async () => {
    const before = await rejected(behind, 'proxy_header');
    const without = await RawClient.behind(scope, behind.port, 'GET / HTTP/1.1\r\n');
    await until(() => without.isClosed, WAIT_MS);
    expect(await rejected(behind, 'proxy_header')).toBe(before + 1);
    // The second one is junk to MQTT: the first byte is that of a PUBREC.
    const twice = await RawClient.behind(scope, behind.port, STRANGER + PARTNER);
    await until(() => twice.isClosed, WAIT_MS);
    expect(twice.packets).toEqual([]);
  });

  it('is taken from nobody else', async () => {
    const wsPort = Number(new URL(behind.wsUrl).port);
    const client = await RawClient.behind(scope, wsPort, PARTNER);
    await until(() => client.isClosed, WAIT_MS);
    expect(await rejected(behind, 'proxy_untrusted')).toBe(1);
  });

  it.each([PARTNER, PARTNER_V2, V6])('is junk where none is expected (%#)', async (header) => {
    const client = await RawClient.behind(scope, direct.port, header);
    await until(() => client.isClosed, WAIT_MS);
    expect(client.packets).toEqual([]);
    const wsPort = Number(new URL(direct.wsUrl).port);
    const web = connect({ port: wsPort, host: '127.0.0.1' });
    scope.add(() => web.destroy());
    let answer = '';
    web.on('data', (chunk) => (answer += chunk.toString()));
    web.write(header);
    await until(() => web.closed, WAIT_MS);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  });
});

it('the system looks after silent connections: TCP keep-alive is on', async () => {
  const wsPort = Number(new URL(direct.wsUrl).port);
  for (const port of [direct.port, wsPort]) {
    await RawClient.open(scope, port);
    const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    await until(async () => {
      // proc_pid_net(5): local address, remote address, state 01 (established), ..., timer 02 (keep-alive).
      const lines = (await readFile('/proc/net/tcp', 'utf8'))
        .split('\n')
        .map((line) => line.trim());
      const fields = lines.map((line) => line.split(/\s+/));
      const accepted = fields.filter(
        ([, from = '', , state]) => from.endsWith(local) && state === '01',
      );
      expect(accepted.map(([, , , , , timer = '']) => timer.slice(0, 2))).toContain('02');
    }, WAIT_MS);
  }
});
