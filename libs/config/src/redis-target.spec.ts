import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { loadConfig, printConfig, redisTarget } from './index.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'skein-config-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Env = Readonly<Record<string, string>>;

/** Settings by their last words, for example `TLS_CA_FILE`. */
const load = (settings: Env) =>
  loadConfig({
    env: Object.fromEntries(
      Object.entries(settings).map(([key, value]) => [`SKEIN_REDIS_${key}`, value]),
    ),
  });

const targetOf = (settings: Env) => redisTarget(load(settings));

const write = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};

describe('Redis of the configuration', () => {
  it('is none without an address', () => {
    expect(targetOf({})).toBeUndefined();
  });

  it('is one server, a master that Sentinels know, or a Redis Cluster', () => {
    expect(targetOf({ URL: 'redis://u:p@h/1' })).toEqual({ url: 'redis://u:p@h/1' });
    expect(
      targetOf({ SENTINELS: 's1:26379, s2:26379', MASTER_NAME: 'shop', DATABASE: '2' }),
    ).toEqual({ sentinels: ['s1:26379', 's2:26379'], masterName: 'shop', database: 2 });
    expect(targetOf({ NODES: 'n1:6379', USERNAME: 'skein', PASSWORD: 'p' })).toEqual({
      ...{ nodes: ['n1:6379'], username: 'skein', password: 'p' },
    });
  });

  it('takes passwords and certificates from files', () => {
    const settings = {
      SENTINELS: 's:1',
      MASTER_NAME: 'm',
      PASSWORD_FILE: write('password', 'first line\r\nsecond\n'),
      SENTINEL_PASSWORD_FILE: write('sentinel', 'other'),
      TLS_ENABLED: 'true',
      TLS_CA_FILE: write('ca', 'CA'),
      TLS_CERT_FILE: write('cert', 'CERT'),
      TLS_KEY_FILE: write('key', 'KEY'),
      TLS_SERVER_NAME: 'redis.shop',
    };

    expect(targetOf(settings)).toEqual({
      sentinels: ['s:1'],
      masterName: 'm',
      password: 'first line',
      sentinelPassword: 'other',
      tls: { ca: 'CA', cert: 'CERT', key: 'KEY', serverName: 'redis.shop' },
    });
  });

  it('uses TLS when the URL says so', () => {
    expect(targetOf({ URL: 'rediss://h' })).toEqual({ url: 'rediss://h', tls: {} });
  });

  it('names every file that does not help', () => {
    const settings = {
      URL: 'rediss://h',
      PASSWORD_FILE: write('empty', '\nnot here'),
      TLS_CA_FILE: join(directory, 'missing'),
    };

    expect(() => targetOf(settings)).toThrow(
      [
        'redis.passwordFile: names a file whose first line is empty; write the password into its first line',
        'redis.tls.caFile: names a file that cannot be read; name a file that exists and that this user may read',
      ].join('\n'),
    );
  });

  it('shows no password when it is printed', () => {
    const settings = { SENTINELS: 's:1', MASTER_NAME: 'm', SENTINEL_PASSWORD: 'hush' };

    expect(printConfig(load({ ...settings, PASSWORD: 'hush' }))).not.toContain('hush');
  });
});

describe('settings of Redis that contradict each other', () => {
  const sentinels = { SENTINELS: 's:1', MASTER_NAME: 'm' };
  const nodes = { NODES: 'n:1' };

  it.each<[field: string, settings: Env]>([
    ['redis.nodes', { URL: 'redis://h', ...nodes }],
    ['redis.nodes', { ...sentinels, ...nodes }],
    ['redis.sentinels', { URL: 'redis://h', ...sentinels }],
    ['redis.masterName', { SENTINELS: 's:1' }],
    ['redis.masterName', { URL: 'redis://h', MASTER_NAME: 'm' }],
    ['redis.sentinelPassword', { ...nodes, SENTINEL_PASSWORD: 'p' }],
    [
      'redis.sentinelPasswordFile',
      { ...sentinels, SENTINEL_PASSWORD: 'p', SENTINEL_PASSWORD_FILE: 'f' },
    ],
    ['redis.password', { PASSWORD: 'p' }],
    ['redis.database', { DATABASE: '1' }],
    ['redis.database', { ...nodes, DATABASE: '1' }],
    ['redis.database', { URL: 'redis://h/1', DATABASE: '1' }],
    ['redis.username', { ...nodes, USERNAME: 'u' }],
    ['redis.username', { URL: 'redis://u:p@h', USERNAME: 'u' }],
    ['redis.password', { URL: 'redis://u:p@h', PASSWORD: 'p' }],
    ['redis.passwordFile', { URL: 'redis://u:p@h', PASSWORD_FILE: 'f' }],
    ['redis.passwordFile', { ...nodes, PASSWORD: 'p', PASSWORD_FILE: 'f' }],
    ['redis.waitTimeoutMs', { WAIT_REPLICAS: '1', WAIT_TIMEOUT_MS: '5000' }],
    ['redis.tls.enabled', { URL: 'redis://h', TLS_ENABLED: 'true' }],
    ['redis.tls.caFile', { ...nodes, TLS_CA_FILE: 'f' }],
    ['redis.tls.certFile', { URL: 'rediss://h', TLS_CERT_FILE: 'f' }],
    ['redis.tls.keyFile', { ...nodes, TLS_ENABLED: 'true', TLS_KEY_FILE: 'f' }],
  ])('are refused: %s in %j', (field, settings) => {
    let told = '';
    try {
      load(settings);
    } catch (error) {
      told = String((error as Error).message);
    }

    expect(told.split('\n').map((line) => line.split(': ')[0])).toEqual([field]);
  });
});
