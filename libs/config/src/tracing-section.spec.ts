import { expect, it } from '@jest/globals';
import { ConfigError, loadConfig, type Config } from './index.ts';

function load(env: Readonly<Record<string, string>>): Config {
  return loadConfig({ argv: [], env });
}

function faultsOf(env: Readonly<Record<string, string>>): string {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

it('traces nothing unless it is asked for, and takes a ratio from the environment', () => {
  expect(load({}).tracing).toMatchObject({ enabled: false, sampleRatio: 0.01 });
  const env = { SKEIN_TRACING_ENABLED: 'true', SKEIN_TRACING_SAMPLE_RATIO: '0.25' };
  expect(load(env).tracing).toMatchObject({ enabled: true, sampleRatio: 0.25 });
});

it.each([
  ['SAMPLE_RATIO', '1.5', /SKEIN_TRACING_SAMPLE_RATIO.*a number from 0 to 1/],
  ['SAMPLE_RATIO', 'some', /SKEIN_TRACING_SAMPLE_RATIO.*a number from 0 to 1/],
  ['ENDPOINT', 'collector:4318', /SKEIN_TRACING_ENDPOINT.*an http: or https: URL without user/],
  ['ENDPOINT', 'http://user:hunter2@collector', /an http: or https: URL without user/],
  ['BATCH_SPANS_MAX', '9000', /tracing\.batchSpansMax: is more than may wait/],
])('refuses %s %s with the way out', (key, value, fault) => {
  const told = faultsOf({ [`SKEIN_TRACING_${key}`]: value });
  expect(told).toMatch(fault);
  expect(told).not.toContain('hunter2');
});
