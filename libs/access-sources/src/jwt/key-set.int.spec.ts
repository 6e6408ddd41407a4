import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import type { Log } from '#libs/broker-ports';
import { openJwtSource, type JwtSource } from '../index.ts';

const EXP_S = 4_000_000_000;
const REFRESH_MS = 60_000;

/** A server of keys that counts, and answers as a test tells it to. */
let served: { status: number; body: string; location?: string };
/** Answers wait for it. */
let gate: Promise<void> = Promise.resolve();
let requests = 0;
let server: http.Server;
let nowMs = 1_000_000;
const logged: string[] = [];
const note = (event: string): void => void logged.push(event);
const log: Log = { debug: note, info: note, warn: note, error: note };

beforeEach(async () => {
  requests = 0;
  logged.length = 0;
  gate = Promise.resolve();
  server = http.createServer((_, response) => {
    requests += 1;
    void gate.then(() => {
      const { status, body, location } = served;
      response.writeHead(status, location === undefined ? {} : { location }).end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const pairOf = () => generateKeyPairSync('ed25519');
const setOf = (keys: Record<string, KeyObject>): string =>
  JSON.stringify({
    keys: Object.entries(keys).map(([kid, key]) => ({ ...key.export({ format: 'jwk' }), kid })),
  });

async function open(): Promise<JwtSource> {
  const { port } = server.address() as AddressInfo;
  const opened = await openJwtSource(
    { jwksUrl: `http://127.0.0.1:${String(port)}/keys`, refreshMs: REFRESH_MS, timeoutMs: 15_000 },
    {
      leewaySeconds: 30,
      claims: { user: 'sub', groups: 'groups', acl: 'acl' },
      parseRules: () => 'must not be there',
      nowMs: () => nowMs,
    },
    log,
  );
  if (opened.kind === 'faulty') throw new Error(opened.fault.problem);
  return opened.source;
}

async function verdictOf(source: JwtSource, key: KeyObject, kid?: string): Promise<string> {
  const header = { alg: 'EdDSA', ...(kid !== undefined && { kid }) };
  const token = await new SignJWT({ sub: 'ann', exp: EXP_S, jti: String(Math.random()) })
    .setProtectedHeader(header)
    .sign(key);
  const password = Buffer.from(token);
  const login = { clientId: 'c', username: undefined, address: '10.0.0.1', listener: 'tcp' };
  const verdict = await source.login({ ...login, password }).catch(() => ({ kind: 'error' }));
  return verdict.kind;
}

describe('keys of a server', () => {
  it('are read once for many tokens that come together', async () => {
    const { publicKey, privateKey } = pairOf();
    served = { status: 200, body: setOf({ one: publicKey }) };
    const source = await open();
    const verdicts = await Promise.all(
      Array.from({ length: 50 }, () => verdictOf(source, privateKey, 'one')),
    );
    expect(new Set(verdicts)).toEqual(new Set(['allowed']));
    expect(requests).toBe(1);
  });

  it('are read again for a key id that nobody knows, but not for each of them', async () => {
    const [one, two] = [pairOf(), pairOf()];
    served = { status: 200, body: setOf({ one: one.publicKey }) };
    const source = await open();
    expect(await verdictOf(source, one.privateKey, 'one')).toBe('allowed');
    served.body = setOf({ two: two.publicKey });
    expect(await verdictOf(source, two.privateKey, 'two')).toBe('denied');
    nowMs += 30_000;
    expect(await verdictOf(source, two.privateKey, 'two')).toBe('allowed');
    expect(requests).toBe(2);
    for (let index = 0; index < 20; index += 1) {
      expect(await verdictOf(source, two.privateKey, `k${String(index)}`)).toBe('denied');
    }
    expect(requests).toBe(2);
    expect(await verdictOf(source, one.privateKey, 'one')).toBe('denied');
    expect(logged).toContain('token-keys-changed');
  });

  it('let in all who come with a new one while it is being read', async () => {
    const [one, two] = [pairOf(), pairOf()];
    served = { status: 200, body: setOf({ one: one.publicKey }) };
    const source = await open();
    expect(await verdictOf(source, one.privateKey, 'one')).toBe('allowed');
    served.body = setOf({ two: two.publicKey });
    nowMs += 30_000;
    let answer = (): void => undefined;
    gate = new Promise((resolve) => (answer = resolve));
    const asked = once(server, 'request');
    const first = verdictOf(source, two.privateKey, 'two');
    await asked;
    const others = Array.from({ length: 20 }, () => verdictOf(source, two.privateKey, 'two'));
    setImmediate(answer);
    expect(new Set(await Promise.all([first, ...others]))).toEqual(new Set(['allowed']));
    expect(requests).toBe(2);
  });

  it('are used on while the server is away, and what it says then is no key', async () => {
    const { publicKey, privateKey } = pairOf();
    served = { status: 500, body: '' };
    const source = await open();
    expect(await verdictOf(source, privateKey, 'one')).toBe('error');
    for (const next of [
      { status: 302, body: '', location: '/elsewhere' },
      { status: 200, body: 'junk' },
      { status: 200, body: 'x'.repeat(2_000_000) },
    ]) {
      served = next;
      nowMs += 1_000;
      expect(await verdictOf(source, privateKey, 'one')).toBe('error');
    }
    expect(requests).toBe(4);
    expect(logged).toEqual(['token-keys-unread']);
    served = { status: 200, body: setOf({ one: publicKey }) };
    // However many tokens come, the server is not asked more than once a second.
    expect(await verdictOf(source, privateKey, 'one')).toBe('error');
    expect(requests).toBe(4);
    nowMs += 1_000;
    expect(await verdictOf(source, privateKey, 'one')).toBe('allowed');
    served = { status: 500, body: '' };
    nowMs += REFRESH_MS + 1;
    expect(await verdictOf(source, privateKey, 'one')).toBe('allowed');
    nowMs += 86_400_001;
    expect(await verdictOf(source, privateKey, 'one')).toBe('error');
  });

  it('are all tried for a token that names none', async () => {
    const [one, two] = [pairOf(), pairOf()];
    served = { status: 200, body: setOf({ one: one.publicKey, two: two.publicKey }) };
    const source = await open();
    expect(await verdictOf(source, two.privateKey)).toBe('allowed');
    expect(await verdictOf(source, pairOf().privateKey)).toBe('denied');
  });
});
