import { describe, expect, it } from '@jest/globals';
import {
  HOT_KEYS,
  HOT_SECTIONS,
  SETTINGS,
  draftFaults,
  loadConfig,
  settingsInForce,
  withOverrides,
  type SettingsTree,
} from './index.ts';

const base = loadConfig({ env: { SKEIN_LIMITS_INFLIGHT_MAX: '7' } });

function faultsOf(overrides: SettingsTree) {
  const result = withOverrides(base, overrides);
  if (result.kind === 'overridden') throw new Error('taken');
  return result.faults;
}

describe('settings that are set at run time', () => {
  it('are keys of the schema, in the sections that are said to hold some', () => {
    const paths = new Set(SETTINGS.map(({ path }) => path));
    expect([...HOT_KEYS.keys()].filter((path) => !paths.has(path))).toEqual([]);
    const sections = new Set([...HOT_KEYS.keys()].map((path) => path.split('.', 1)[0]));
    expect([...sections]).toEqual([...HOT_SECTIONS]);
  });

  it('lie above the file and the environment, key by key', () => {
    const result = withOverrides(base, {
      limits: { inflightMax: 9 },
      rates: { client: { messagesPerSecond: 5 } },
    });
    if (result.kind === 'faulty') throw new Error('refused');
    const { config } = result;
    expect(config.limits).toEqual({ ...base.limits, inflightMax: 9 });
    expect(config.rates.client).toEqual({ messagesPerSecond: 5, bytesPerSecond: 0 });
    expect(config.node.version).toBe(base.node.version);
    const at = (path: string) => settingsInForce(config).find((each) => each.path === path);
    expect(at('limits.inflightMax')).toMatchObject({ value: 9, source: 'api', default: 128 });
    expect(at('limits.queueMessagesMax')).toMatchObject({ source: 'default' });
    expect(settingsInForce(base).find(({ path }) => path === 'limits.inflightMax')).toMatchObject({
      value: 7,
      source: 'environment',
    });
  });

  it('are refused by their key when they want a restart, do not fit or do not exist', () => {
    expect(faultsOf({ redis: { leaseMs: 5_000 }, flapping: { banSeconds: 1 } })).toMatchObject([
      { kind: 'restart', field: 'redis.leaseMs' },
      { kind: 'restart', field: 'flapping.banSeconds', fix: 'send PUT /api/v1/auto-bans/config' },
    ]);
    expect(faultsOf({ limits: { inflightMax: 0 } })).toMatchObject([
      { kind: 'invalid', field: 'limits.inflightMax', problem: expect.stringContaining('from 1') },
    ]);
    expect(faultsOf({ limits: 5 })).toMatchObject([{ kind: 'invalid', field: 'limits' }]);
    expect(faultsOf({ limits: { inflight: 5 } })).toMatchObject([
      { kind: 'unknown', field: 'limits.inflight', fix: expect.stringContaining('inflightMax') },
    ]);
    expect(faultsOf({ overload: { heapPercent: [90, 80, 95] } })).toMatchObject([
      { kind: 'invalid', field: 'overload.heapPercent' },
    ]);
  });

  it('may be tried whether or not they are hot', () => {
    expect(draftFaults(base, { redis: { leaseMs: 5_000 }, limits: { inflightMax: 3 } })).toEqual(
      [],
    );
    expect(draftFaults(base, { redis: { leaseMs: 'x' }, log: { levle: 'info' } })).toMatchObject([
      { kind: 'invalid', field: 'redis.leaseMs' },
      { kind: 'unknown', field: 'log.levle' },
    ]);
  });
});
