import { describe, expect, it } from '@jest/globals';
import { ConfigError, loadConfig } from './index.ts';

const load = (env: Readonly<Record<string, string>>) => loadConfig({ argv: [], env });

function faultsOf(env: Readonly<Record<string, string>>): string {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

describe('bounds on what clients do', () => {
  it('bound nothing by default, and protect the node', () => {
    const { rates, quotas, overload, flapping } = load({});
    expect(rates.client).toEqual({ messagesPerSecond: 0, bytesPerSecond: 0 });
    expect(rates.user).toEqual(rates.client);
    expect(Object.values(quotas.user)).toEqual([0, 0, 0, 0, 0]);
    expect(overload).toMatchObject({ enabled: true, loopDelayMs: [500, 1000, 2000] });
    const window = { windowSeconds: 60, banSeconds: 300 };
    expect(flapping).toEqual({ connectionsMax: 100, connectionsPerAddressMax: 0, ...window });
  });

  it('can be set by variables', () => {
    const { rates, overload } = load({
      SKEIN_RATES_CLIENT_MESSAGES_PER_SECOND: '10',
      SKEIN_OVERLOAD_REDIS_DELAY_MS: '[100, 0, 200]',
      SKEIN_OVERLOAD_LOOP_DELAY_MS: '100, 0,200',
    });
    expect(overload.loopDelayMs).toEqual([100, 0, 200]);
    expect(rates.client.messagesPerSecond).toBe(10);
    expect(overload.redisDelayMs).toEqual([100, 0, 200]);
  });

  it('are refused by name when they cannot be meant', () => {
    expect(faultsOf({ SKEIN_OVERLOAD_HEAP_PERCENT: '[95, 90, 98]' })).toMatch(
      /overload\.heapPercent: calls for a higher level with less than for a lower one; .*rising order/,
    );
    expect(faultsOf({ SKEIN_OVERLOAD_HEAP_PERCENT: '[90, 95]' })).toContain(
      'SKEIN_OVERLOAD_HEAP_PERCENT: must be a list of three numbers from 0 to 100',
    );
    expect(faultsOf({ SKEIN_OVERLOAD_HEAP_PERCENT: '90,much,more' }).split('\n')).toEqual([
      expect.stringContaining('SKEIN_OVERLOAD_HEAP_PERCENT: must be a list of three numbers'),
    ]);
    expect(faultsOf({ SKEIN_RATES_BURST_SECONDS: '0' })).toContain('SKEIN_RATES_BURST_SECONDS');
    expect(faultsOf({ SKEIN_FLAPPING_WINDOW_SECONDS: '0' })).toContain(
      'SKEIN_FLAPPING_WINDOW_SECONDS: must be a whole number from 1 to 3600',
    );
  });
});
