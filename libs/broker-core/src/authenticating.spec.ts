import { describe, expect, it } from '@jest/globals';
import {
  AuthChain,
  PasswordCheck,
  UserSource,
  deriveScramCredential,
  type AuthExchange,
  type Authenticator,
  type UserDirectory,
} from '#libs/access';
import { NodeScramCrypto } from '#libs/access-sources';
import type { HubClient } from '#libs/broker-ports';
import { REASON, type AuthPacket, type ConnectPacket, type ReasonCode } from '#libs/mqtt-codec';
import { LocalRetainedStore, LocalSessionStore } from '#libs/store-local';
import {
  MemoryNode,
  ScramClient,
  publishPacket,
  quiet,
  subscriptionRequest,
  type MemoryClient,
} from '#libs/testkit';

const METHOD = 'SCRAM-SHA-256';
const ANN = { user: 'ann', password: 'p4ss' };
const BOB = { user: 'bob', password: 'word' };
const TIMEOUT_MS = 1000;

const crypto = new NodeScramCrypto();
const derive = (password: string) =>
  deriveScramCredential(crypto, password, {
    mechanism: METHOD,
    salt: Buffer.alloc(16, 1),
    iterations: 4096,
  });
const stored = new Map([
  [ANN.user, await derive(ANN.password)],
  [BOB.user, await derive(BOB.password)],
]);
const passwords = new PasswordCheck({ crypto, saltSecret: 'salt', iterations: 4096 });
const directory: UserDirectory = {
  find: (user) => {
    const credential = stored.get(user);
    return Promise.resolve(credential && { credentials: [credential], identity: { user } });
  },
};
const users = new AuthChain({
  sources: [new UserSource(directory, passwords)],
  passwords,
  anonymous: false,
});

function nodeWith(authenticator?: Authenticator): MemoryNode {
  const clock = (): number => 0;
  return new MemoryNode({
    sessions: new LocalSessionStore({ clock }),
    retained: new LocalRetainedStore({ clock }),
    limits: { connectTimeoutMs: TIMEOUT_MS },
    ...(authenticator !== undefined && { authenticator }),
  });
}

const bytes = (text: string): Buffer => Buffer.from(text);
const auth = (reasonCode: ReasonCode, data?: Uint8Array, method: string = METHOD) => ({
  kind: 'auth' as const,
  reasonCode,
  properties: {
    authenticationMethod: method,
    ...(data !== undefined && { authenticationData: data }),
  },
});

/** A client of one node that goes through SCRAM step by step. */
class Peer {
  readonly client: MemoryClient;
  readonly scram: ScramClient;
  /** What it was asked last. */
  challenge: AuthPacket | undefined;

  constructor(client: MemoryClient, login = ANN) {
    this.client = client;
    this.scram = new ScramClient(METHOD, login);
  }

  /** CONNECT with the first message, or with what a test wants instead of it. */
  begin(
    options: Partial<ConnectPacket> = {},
    data: Uint8Array | undefined = this.scram.first(),
  ): void {
    const { properties } = auth(REASON.success, data);
    this.client.write(this.client.connectPacket({ properties, ...options }));
  }

  /** Waits for the challenge and gives the answer. */
  async answer(): Promise<Buffer> {
    this.challenge = await this.client.next('auth');
    return this.scram.final(this.challenge.properties?.authenticationData ?? bytes(''));
  }

  /** Everything up to CONNACK. */
  async connect(options: Partial<ConnectPacket> = {}) {
    this.begin(options);
    this.client.write(auth(REASON.continueAuthentication, await this.answer()));
    return await this.client.next('connack');
  }

  /** Everything from AUTH 0x19 up to the last answer of the client. */
  async renew(login = ANN): Promise<void> {
    const again = new Peer(this.client, login);
    this.client.write(auth(REASON.reAuthenticate, again.scram.first()));
    this.client.write(auth(REASON.continueAuthentication, await again.answer()));
  }
}

describe('enhanced authentication', () => {
  it('proves both sides before CONNACK [MQTT-4.12.0-2] [MQTT-4.12.0-5]', async () => {
    const memory = nodeWith(users);
    const peer = new Peer(memory.client());
    const connack = await peer.connect();
    expect(peer.challenge).toMatchObject(auth(REASON.continueAuthentication));
    expect(connack.reasonCode).toBe(REASON.success);
    expect(connack.properties?.authenticationMethod).toBe(METHOD);
    expect(peer.scram.isProven(connack.properties?.authenticationData)).toBe(true);
    expect(memory.node.admin.client('client')).toMatchObject({ username: ANN.user });
    peer.client.publish('t', 'x', { qos: 1 });
    await peer.client.next('puback');
  });

  it('asks for the first message if CONNECT does not bring it', async () => {
    const peer = new Peer(nodeWith(users).client());
    peer.client.write(peer.client.connectPacket({ properties: { authenticationMethod: METHOD } }));
    const invitation = await peer.client.next('auth');
    expect(invitation).toEqual(auth(REASON.continueAuthentication));
    peer.client.write(auth(REASON.continueAuthentication, peer.scram.first()));
    peer.client.write(auth(REASON.continueAuthentication, await peer.answer()));
    expect((await peer.client.next('connack')).reasonCode).toBe(REASON.success);
  });

  it.each([
    ['no users', undefined, METHOD],
    ['a method that is not offered', users, 'SCRAM-SHA-1'],
    ['an empty method', users, ''],
  ])('is refused with %s [MQTT-4.12.0-1]', async (_, authenticator, method) => {
    const client = nodeWith(authenticator).client();
    const connack = await client.connect({ properties: { authenticationMethod: method } });
    expect(connack.reasonCode).toBe(REASON.badAuthenticationMethod);
    expect(connack.properties?.authenticationMethod).toBeUndefined();
    await client.closed();
  });

  it.each([
    ['a wrong password', { user: 'ann', password: 'wrong' }],
    ['a user who does not exist', { user: 'nobody', password: 'p4ss' }],
  ])('denies %s [MQTT-4.12.0-4]', async (_, login) => {
    const memory = nodeWith(users);
    const peer = new Peer(memory.client(), login);
    expect(await peer.connect()).toMatchObject({ reasonCode: REASON.notAuthorized });
    await peer.client.closed();
    expect(memory.node.admin.status()).toMatchObject({ connections: 0, sessions: 0 });
    expect(memory.counts.get('authenticated')).toBe(1);
  });

  it('denies what is no SCRAM', async () => {
    const peer = new Peer(nodeWith(users).client());
    peer.begin({}, bytes('n,,garbage'));
    expect(await peer.client.next('connack')).toMatchObject({ reasonCode: REASON.notAuthorized });
  });

  it('takes the user name of CONNECT only if it is the one that is proven', async () => {
    const memory = nodeWith(users);
    const same = new Peer(memory.client());
    const username = 'a\u00ADnn';
    expect(await same.connect({ username })).toMatchObject({ reasonCode: REASON.success });
    expect(memory.node.admin.client('client')).toMatchObject({ username: ANN.user });
    const other = new Peer(memory.client());
    const connack = await other.connect({ username: BOB.user, clientId: 'other' });
    expect(connack.reasonCode).toBe(REASON.notAuthorized);
  });

  it('asks the hook of the hub as well, with the user and without a password', async () => {
    const memory = nodeWith(users);
    const seen: [HubClient, unknown][] = [];
    memory.hub.authentication = (client, password) => {
      seen.push([client, password]);
      return client.username === BOB.user ? 'denied' : 'allowed';
    };
    const ann = await new Peer(memory.client()).connect({ password: bytes('x'), username: 'ann' });
    const bob = await new Peer(memory.client(), BOB).connect({ clientId: 'bob' });
    expect([ann.reasonCode, bob.reasonCode]).toEqual([REASON.success, REASON.notAuthorized]);
    expect(seen).toMatchObject([
      [{ clientId: 'client', username: 'ann' }, undefined],
      [{ clientId: 'bob', username: 'bob' }, undefined],
    ]);
  });

  it('lets no other packet pass before CONNACK [MQTT-3.1.2-30]', async () => {
    const early = [
      { kind: 'pingreq' },
      publishPacket('t', 'x'),
      { kind: 'subscribe', packetId: 1, subscriptions: [subscriptionRequest('t')] },
    ] as const;
    for (const packet of early) {
      const memory = nodeWith(users);
      const peer = new Peer(memory.client());
      const { properties } = auth(REASON.success, peer.scram.first());
      peer.client.write(peer.client.connectPacket({ properties }), packet);
      await peer.client.next('auth');
      expect(await peer.client.next('connack')).toMatchObject({ reasonCode: REASON.protocolError });
      await peer.client.closed();
      expect(memory.node.admin.status()).toMatchObject({ connections: 0, sessions: 0 });
    }
  });

  it('lets DISCONNECT pass before CONNACK, and no will follows', async () => {
    const memory = nodeWith(users);
    const witness = new Peer(memory.client());
    await witness.connect({ clientId: 'witness' });
    await witness.client.subscribe('#');
    const peer = new Peer(memory.client());
    const will = { topic: 'will', payload: bytes('x'), qos: 0, retain: false } as const;
    peer.begin({ will });
    await peer.client.next('auth');
    peer.client.write({ kind: 'disconnect', reasonCode: REASON.disconnectWithWill });
    await peer.client.closed();
    await quiet();
    expect([peer.client.take(), witness.client.take()]).toEqual([[], []]);
  });

  it.each([
    ['of another method', auth(REASON.continueAuthentication, bytes('x'), 'OTHER'), 0x8c],
    ['without a method', { kind: 'auth', reasonCode: REASON.continueAuthentication }, 0x82],
    ['that begins anew', auth(REASON.reAuthenticate, bytes('x')), 0x82],
    ['that only a server sends', auth(REASON.success, bytes('x')), 0x82],
    ['of nonsense', auth(REASON.continueAuthentication, bytes('x')), 0x87],
    ['without data', auth(REASON.continueAuthentication), 0x87],
  ] as const)('refuses AUTH %s [MQTT-4.12.0-3]', async (_, packet, reasonCode) => {
    const challenge = auth(REASON.continueAuthentication);
    const peer = new Peer(nodeWith(users).client());
    peer.begin();
    expect(await peer.client.next('auth')).toMatchObject(challenge);
    peer.client.write(packet);
    expect(await peer.client.next('connack')).toMatchObject({ reasonCode });
    await peer.client.closed();
  });

  it('has to end in time', async () => {
    const memory = nodeWith(users);
    const peer = new Peer(memory.client());
    peer.begin();
    await peer.answer();
    memory.sweepAfter(TIMEOUT_MS);
    expect(peer.client.isEnded).toBe(false);
    memory.sweepAfter(1);
    expect(await peer.client.next('connack')).toMatchObject({ reasonCode: REASON.notAuthorized });
    await peer.client.closed();
  });

  it('of a client that goes away takes no session', async () => {
    const memory = nodeWith(users);
    const peer = new Peer(memory.client());
    const { properties } = auth(REASON.success, peer.scram.first());
    peer.begin({ properties: { ...properties, sessionExpiryInterval: 60 } });
    const final = await peer.answer();
    peer.client.write(auth(REASON.continueAuthentication, final));
    peer.client.cut();
    await quiet();
    expect(memory.node.admin.status()).toMatchObject({ connections: 0, sessions: 0 });
  });

  it('is refused to a client that could not take its CONNACK [MQTT-3.2.0-1]', async () => {
    const assured: AuthExchange = {
      backend: 'scram',
      step: () =>
        Promise.resolve({ kind: 'allowed', identity: { user: 'ann' }, data: Buffer.alloc(100) }),
    };
    const login = () => Promise.resolve({ kind: 'busy', backend: 'scram' } as const);
    const client = nodeWith({ login, exchange: () => assured }).client();
    const properties = { authenticationMethod: METHOD, maximumPacketSize: 100 };
    const connack = await client.connect({ properties });
    expect(connack.reasonCode).toBe(REASON.packetTooLarge);
    await client.closed();
  });

  it('says so when nobody can tell', async () => {
    const broken: AuthExchange = {
      backend: 'scram',
      step: () => Promise.reject(new Error('no credentials')),
    };
    const authenticator = { login: () => Promise.reject(new Error('no')), exchange: () => broken };
    const memory = nodeWith(authenticator);
    const peer = new Peer(memory.client());
    peer.begin();
    expect(await peer.client.next('connack')).toMatchObject({
      reasonCode: REASON.serverUnavailable,
    });
    const login = await memory.client().connect({ username: 'ann', password: bytes('p4ss') });
    expect(login.reasonCode).toBe(REASON.serverUnavailable);
    expect(memory.counts.get('authenticated')).toBe(2);
  });

  it('is no part of a connection without a method [MQTT-4.12.0-6] [MQTT-4.12.0-7]', async () => {
    const client = nodeWith(users).client();
    const login = { username: ANN.user, password: bytes(ANN.password) };
    expect((await client.connect(login)).properties?.authenticationMethod).toBeUndefined();
    client.write(auth(REASON.reAuthenticate, new ScramClient(METHOD, ANN).first()));
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: REASON.protocolError });
    await client.closed();
  });
});

describe('re-authentication', () => {
  async function connected(memory = nodeWith(users)): Promise<Peer> {
    const peer = new Peer(memory.client());
    await peer.connect();
    return peer;
  }

  it('goes on beside other packets and ends with AUTH 0x00 [MQTT-4.12.1-1]', async () => {
    const peer = await connected();
    const { client } = peer;
    const again = new Peer(client);
    client.write(auth(REASON.reAuthenticate, again.scram.first()), { kind: 'pingreq' });
    await client.next('pingresp');
    const final = await again.answer();
    client.publish('t', 'x', { qos: 1 });
    await client.next('puback');
    client.write(auth(REASON.continueAuthentication, final));
    const last = await client.next('auth');
    expect(last.reasonCode).toBe(REASON.success);
    expect(last.properties?.authenticationMethod).toBe(METHOD);
    expect(again.scram.isProven(last.properties?.authenticationData)).toBe(true);
    await peer.renew();
    expect((await client.next('auth')).reasonCode).toBe(REASON.success);
  });

  it.each([
    ['a wrong password', { user: 'ann', password: 'wrong' }],
    ['another user', BOB],
  ])('ends the connection of %s [MQTT-4.12.1-2]', async (_, login) => {
    const peer = await connected();
    await peer.renew(login);
    const { reasonCode } = await peer.client.next('disconnect');
    expect(reasonCode).toBe(REASON.notAuthorized);
    await peer.client.closed();
  });

  it('ends the connection of a client that the hook does not let in any more', async () => {
    const memory = nodeWith(users);
    const peer = await connected(memory);
    memory.hub.authentication = () => 'denied';
    await peer.renew();
    expect(await peer.client.next('disconnect')).toMatchObject({
      reasonCode: REASON.notAuthorized,
    });
    const other = nodeWith(users);
    const unlucky = await connected(other);
    other.hub.authentication = () => 'error';
    await unlucky.renew();
    expect(await unlucky.client.next('disconnect')).toMatchObject({ reasonCode: 0x83 });
  });

  it.each([
    ['by another method', auth(REASON.reAuthenticate, bytes('x'), 'SCRAM-SHA-512'), 0x8c],
    ['by AUTH without a method', { kind: 'auth', reasonCode: REASON.reAuthenticate }, 0x82],
    ['by an answer to no question', auth(REASON.continueAuthentication, bytes('x')), 0x82],
    ['by nonsense', auth(REASON.reAuthenticate, bytes('x')), 0x87],
  ] as const)('ends the connection %s', async (_, packet, reasonCode) => {
    const peer = await connected();
    peer.client.write(packet);
    expect(await peer.client.next('disconnect')).toMatchObject({ reasonCode });
    await peer.client.closed();
  });

  it('may not begin anew before it has ended, nor before it is answered', async () => {
    const twice = await connected();
    const packet = auth(REASON.reAuthenticate, new ScramClient(METHOD, ANN).first());
    twice.client.write(packet, packet);
    expect(await twice.client.next('disconnect')).toMatchObject({ reasonCode: 0x82 });
    const hasty = await connected();
    hasty.client.write(packet, auth(REASON.continueAuthentication, bytes('x')));
    expect(await hasty.client.next('disconnect')).toMatchObject({ reasonCode: 0x82 });
    const late = await connected();
    late.client.write(packet);
    await late.client.next('auth');
    late.client.write(packet);
    expect(await late.client.next('disconnect')).toMatchObject({ reasonCode: 0x82 });
  });

  it('has to end in time', async () => {
    const memory = nodeWith(users);
    const peer = await connected(memory);
    memory.sweepAfter(10 * TIMEOUT_MS);
    peer.client.write(auth(REASON.reAuthenticate, new ScramClient(METHOD, ANN).first()));
    await peer.client.next('auth');
    memory.sweepAfter(TIMEOUT_MS);
    expect(peer.client.isEnded).toBe(false);
    memory.sweepAfter(1);
    expect(await peer.client.next('disconnect')).toMatchObject({
      reasonCode: REASON.notAuthorized,
    });
  });
});

describe.each([3, 4, 5] as const)('a login with MQTT version %i', (version) => {
  const connect = async (memory: MemoryNode, options: Partial<ConnectPacket>) =>
    (await memory.client(version).connect(options)).reasonCode;

  it('is allowed with the password, under the prepared name', async () => {
    const memory = nodeWith(users);
    const login = { username: 'a\u00ADnn', password: bytes(ANN.password) };
    expect(await connect(memory, login)).toBe(REASON.success);
    expect(memory.node.admin.client('client')).toMatchObject({ username: ANN.user });
    expect(memory.counts.get('authenticated')).toBe(1);
  });

  it('is refused without a name, and with a wrong name or password', async () => {
    const memory = nodeWith(users);
    expect(await connect(memory, {})).toBe(REASON.notAuthorized);
    const wrong = { username: 'ann', password: bytes('wrong') };
    expect(await connect(memory, wrong)).toBe(REASON.badUserNameOrPassword);
    const nobody = { username: 'nobody', password: bytes(ANN.password) };
    expect(await connect(memory, nobody)).toBe(REASON.badUserNameOrPassword);
    expect(await connect(memory, { username: 'ann' })).toBe(REASON.badUserNameOrPassword);
  });

  it('needs the hook as well, which sees the password', async () => {
    const memory = nodeWith(users);
    let seen: string | undefined;
    memory.hub.authentication = (_, password) => {
      seen = password === undefined ? undefined : Buffer.from(password).toString();
      return 'denied';
    };
    const login = { username: 'ann', password: bytes(ANN.password) };
    expect(await connect(memory, login)).toBe(REASON.notAuthorized);
    expect(seen).toBe(ANN.password);
  });

  it('is put off when too many log in', async () => {
    const busy: Authenticator = {
      login: () => Promise.resolve({ kind: 'busy', backend: 'password' }),
      exchange: () => undefined,
    };
    const code = await connect(nodeWith(busy), { username: 'ann' });
    expect(code).toBe(version === 5 ? REASON.serverBusy : REASON.serverUnavailable);
  });
});
