import { expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { loadConfig, maskUrl, printConfig } from './index.ts';

const KEY = 'open-sesame-open-sesame';

it('prints every section as YAML with secrets masked', () => {
  const config = loadConfig({
    env: { SKEIN_API_KEY: KEY, SKEIN_REDIS_URL: 'redis://skein:hunter2@redis:6379/1' },
  });

  const text = printConfig(config);
  const { version, ...node } = config.node;

  expect(text).not.toMatch(/open-sesame|hunter2/);
  expect(text).toContain(`# Skein ${version}\n`);
  expect(parse(text)).toEqual({
    ...config,
    node,
    api: { ...config.api, key: '***' },
    redis: { ...config.redis, url: 'redis://skein:***@redis:6379/1' },
  });
});

it('prints users without what they log in with', () => {
  const scram = 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy';
  const users = [
    { name: 'ann', password: 'hunter2' },
    { name: 'bob', passwordFile: '/run/secrets/bob' },
    { name: 'cat', scram: [scram] },
  ];
  const config = loadConfig({
    env: {
      SKEIN_AUTH_USERS: JSON.stringify(users),
      SKEIN_AUTH_SALT_SECRET: 'hunter2-hunter2-hunter2',
    },
  });

  const text = printConfig(config);

  expect(text).not.toMatch(/hunter2|SCRAM-SHA-256/);
  expect(parse(text)).toMatchObject({
    auth: {
      users: [
        { name: 'ann', password: '***' },
        { name: 'bob', passwordFile: '/run/secrets/bob' },
        { name: 'cat', scram: ['***'] },
      ],
      saltSecret: '***',
    },
  });
});

it('prints where secrets of bridges are kept, never what they are', () => {
  process.env['SPEC_OF_PRINT'] = 'planted-password';
  const sasl = { mechanism: 'plain', username: 'u', password: { env: 'SPEC_OF_PRINT' } };
  const bridge = { id: 'main', kind: 'kafka', brokers: ['k:9093'], tls: { caFile: '/ca' }, sasl };
  const config = loadConfig({ env: { SKEIN_BRIDGES: JSON.stringify([bridge]) } });

  const text = printConfig(config);
  delete process.env['SPEC_OF_PRINT'];

  expect(text).not.toContain('planted');
  expect(parse(text)).toMatchObject({ bridges: [bridge] });
});

it('leaves a URL without password as it is', () => {
  expect(maskUrl('redis://redis:6379/0')).toBe('redis://redis:6379/0');
});
