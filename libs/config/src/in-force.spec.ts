import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { loadConfig, settingsInForce, type SettingInForce } from './index.ts';

const FILE = `limits:\n  inflightMax: 7\nlisteners:\n  factory: { transport: tcp, port: 1900 }\n`;

describe('the settings in force', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'skein-config-')), 'skein.yaml');
  writeFileSync(file, FILE);
  const config = loadConfig({
    env: {
      SKEIN_CONFIG: file,
      SKEIN_LOG_LEVEL: 'warn',
      SKEIN_API_KEY: 'planted-secret-of-a-test',
      SKEIN_REDIS_URL: 'redis://u:planted-password@h:1',
    },
  });
  const all = settingsInForce(config);
  const at = (path: string): SettingInForce | undefined => all.find((each) => each.path === path);

  it('say where each value comes from', () => {
    expect(at('limits.inflightMax')).toMatchObject({ value: 7, default: 128, source: 'file' });
    expect(at('log.level')).toMatchObject({
      value: 'warn',
      default: 'info',
      source: 'environment',
    });
    expect(at('log.format')).toMatchObject({ value: 'text', source: 'default' });
    const { data } = loadConfig({ env: {}, argv: ['--data', '/d'] });
    expect(data.dir).toBe('/d');
    expect(
      settingsInForce(loadConfig({ env: {}, argv: ['--data', '/d'] })).find(
        ({ path }) => path === 'data.dir',
      ),
    ).toMatchObject({ value: '/d', source: 'flag' });
  });

  it('name those of further listeners', () => {
    expect(at('listeners.factory.port')).toMatchObject({ value: 1900, source: 'file' });
  });

  it('show no secret', () => {
    expect(JSON.stringify(all)).not.toContain('planted');
    expect(at('api.key')).toMatchObject({ value: '***', source: 'environment' });
  });
});
