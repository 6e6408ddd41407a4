import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '#libs/config';
import { boundListeners, openFilesMax } from './open-files.ts';

const bounds = (filesMax: number, env: Readonly<Record<string, string>> = {}) =>
  boundListeners(loadConfig({ env }), filesMax).map(
    ({ settings, connectionsMax }) => `${settings.name} ${connectionsMax}`,
  );

describe('the connections of listeners', () => {
  it('are 100,000 each where the limit of open files allows it', () => {
    expect(bounds(1_048_576)).toEqual(['tcp 100000', 'ws 100000']);
    expect(bounds(Infinity)).toEqual(['tcp 100000', 'ws 100000']);
  });

  it('are a fair part of what the limit leaves', () => {
    expect(bounds(21_024)).toEqual(['tcp 10000', 'ws 10000']);
    expect(bounds(21_024, { SKEIN_LISTENERS_TCP_CONNECTIONS_MAX: '15000' })).toEqual([
      'tcp 15000',
      'ws 5000',
    ]);
  });

  it('are refused where the limit is less than what is configured and 1,024', () => {
    const env = {
      SKEIN_LISTENERS_TCP_CONNECTIONS_MAX: '15000',
      SKEIN_LISTENERS_WS_ENABLED: 'false',
    };
    expect(bounds(16_024, env)).toEqual(['tcp 15000']);
    expect(() => bounds(16_023, env)).toThrow(
      'listeners: want 16024 open files, but the system allows 16023; raise the limit (ulimit -n, LimitNOFILE), or lower their connectionsMax',
    );
    expect(() => bounds(1_025)).toThrow('want 1026 open files');
  });
});

it('knows how many files this process may open', () => {
  expect(openFilesMax()).toBeGreaterThan(0);
});
