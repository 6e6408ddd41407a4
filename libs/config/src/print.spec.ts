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

it('leaves a URL without password as it is', () => {
  expect(maskUrl('redis://redis:6379/0')).toBe('redis://redis:6379/0');
});
