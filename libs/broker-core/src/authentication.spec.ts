import { describe, expect, it } from '@jest/globals';
import type { AuthExchange, AuthStep } from '#libs/access';
import { REASON, type ConnectPacket, type ReasonCode } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  MemoryNode,
  publishPacket,
  quiet,
  subscriptionRequest,
  type MemoryClient,
} from '#libs/testkit';

const METHOD = 'RIDDLE';
const TIMEOUT_MS = 1000;
const RIDDLE_BYTES = 200;

/** Asks a long riddle, to which `yes` is the answer; `broken` breaks it. It answers in a later turn. */
class Riddle implements AuthExchange {
  readonly backend = 'scram';

  async step(data: Uint8Array | undefined): Promise<AuthStep> {
    await quiet(2);
    switch (Buffer.from(data ?? []).toString()) {
      case 'yes':
        return { kind: 'allowed', identity: { user: 'ann' }, data: Buffer.from('right') };
      case 'yes, at length':
        return { kind: 'allowed', identity: { user: 'ann' }, data: Buffer.alloc(RIDDLE_BYTES) };
      case 'broken':
        throw new Error('nobody knows the answer');
      case '':
        return { kind: 'continue', data: Buffer.alloc(RIDDLE_BYTES) };
      default:
        return { kind: 'denied', detail: 'wrong' };
    }
  }
}

function newNode(): MemoryNode {
  const clock = (): number => 0;
  return new MemoryNode({
    sessions: new LocalSessionStore({ clock }),
    retained: new LocalRetainedStore({ clock }),
    limits: { connectTimeoutMs: TIMEOUT_MS, unauthenticatedBytesMax: 500 },
    authenticator: {
      login: () => Promise.resolve({ kind: 'busy', backend: 'password' }),
      exchange: (method) => (method === METHOD ? new Riddle() : undefined),
    },
  });
}

const auth = (reasonCode: ReasonCode, text = '', method = METHOD) => ({
  kind: 'auth' as const,
  reasonCode,
  properties: { authenticationMethod: method, authenticationData: Buffer.from(text) },
});
const answer = (text: string) => auth(REASON.continueAuthentication, text);
const again = (text = '') => auth(REASON.reAuthenticate, text);

const connectPacket = (
  client: MemoryClient,
  text = '',
  options: ConnectPacket['properties'] = {},
) => client.connectPacket({ properties: { ...auth(REASON.success, text).properties, ...options } });

async function connected(memory: MemoryNode): Promise<MemoryClient> {
  const client = memory.client();
  client.write(connectPacket(client, 'yes'));
  expect(await client.next('connack')).toMatchObject({ reasonCode: REASON.success });
  return client;
}

describe('packets behind the last AUTH of a client', () => {
  it.each([0, 1_000])('are served after CONNACK, with a payload of %i bytes', async (size) => {
    const client = newNode().client();
    client.write(connectPacket(client));
    await client.next('auth');
    const eager = [
      { kind: 'subscribe', packetId: 1, subscriptions: [subscriptionRequest('t')] },
      publishPacket('t', 'x'.repeat(size), { qos: 1, packetId: 2 }),
    ] as const;
    client.write(answer('yes'), ...eager);
    client.write({ kind: 'pingreq' });
    await quiet();

    const [first, ...others] = client.take().map(({ kind }) => kind);
    expect(first).toBe('connack');
    expect(others.toSorted()).toEqual(['pingresp', 'puback', 'suback']);
  });

  it('are served when CONNECT says all', async () => {
    const client = newNode().client();
    client.write(connectPacket(client, 'yes'), { kind: 'pingreq' });
    await quiet();

    expect(client.take().map(({ kind }) => kind)).toEqual(['connack', 'pingresp']);
  });

  it('are not served when the client is refused', async () => {
    const memory = newNode();
    const client = memory.client();
    client.write(connectPacket(client));
    await client.next('auth');
    client.write(answer('no'), publishPacket('t', 'x', { qos: 1, packetId: 1 }));

    expect(await client.next('connack')).toMatchObject({ reasonCode: REASON.notAuthorized });
    await client.closed();
    expect([memory.counts.get('publishReceived'), client.take()]).toEqual([undefined, []]);
  });
});

describe('AUTH that is larger than the client takes', () => {
  const small = { maximumPacketSize: RIDDLE_BYTES };

  it('refuses the client at once [MQTT-3.1.2-24]', async () => {
    const client = newNode().client();
    client.write(connectPacket(client, '', small));

    expect(await client.next('connack')).toMatchObject({
      reasonCode: REASON.packetTooLarge,
      properties: { reasonString: 'the client takes no packet as large as AUTH' },
    });
    await client.closed();
  });

  it.each(['', 'yes, at length'])('ends a live connection at once (%j)', async (text) => {
    const memory = newNode();
    const client = memory.client();
    client.write(connectPacket(client, 'yes', small));
    await client.next('connack');
    client.write(again(text));

    expect(await client.next('disconnect')).toMatchObject({
      reasonCode: REASON.packetTooLarge,
      properties: { reasonString: 'the client takes no packet as large as AUTH' },
    });
    await client.closed();
    expect([...memory.disconnects]).toEqual([['packet_too_large', 1]]);
  });
});

describe('a connection that ends by its re-authentication', () => {
  it.each([
    ['a wrong answer', [again('no')], 'authentication_failed'],
    ['an answer that nobody can judge', [again('broken')], 'authentication_failed'],
    ['another method', [auth(REASON.reAuthenticate, '', 'OTHER')], 'authentication_failed'],
    ['AUTH out of turn', [again(), again()], 'protocol_error'],
  ] as const)('is counted as that: %s', async (_, packets, reason) => {
    const memory = newNode();
    const client = await connected(memory);
    client.write(...packets);
    await client.closed();

    expect([...memory.disconnects]).toEqual([[reason, 1]]);
  });

  it('is counted as that when a plugin says no, or the answer is late', async () => {
    const memory = newNode();
    const late = await connected(memory);
    late.write(again());
    await late.next('auth');
    memory.sweepAfter(TIMEOUT_MS + 1);
    await late.closed();
    const denied = await connected(memory);
    memory.hub.authentication = () => 'denied';
    denied.write(again('yes'));
    await denied.closed();

    expect([...memory.disconnects]).toEqual([['authentication_failed', 2]]);
  });
});
