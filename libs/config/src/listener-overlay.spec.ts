import { describe, expect, it } from '@jest/globals';
import { withListeners } from './listener-overlay.ts';
import { loadConfig, sourceOf, type Config } from './load.ts';

const load = (env: Readonly<Record<string, string>> = {}): Config => loadConfig({ env });
const base = load({ SKEIN_LISTENERS_TCP_PORT: '2000' });
const over = (name: string, settings: object, config = base) =>
  withListeners(config, new Map([[name, settings as Readonly<Record<string, unknown>>]]));

function madeOf(result: ReturnType<typeof withListeners>): Config {
  if (result.kind === 'faulty') throw new Error(JSON.stringify(result.faults));
  return result.config;
}

describe('listeners above a configuration', () => {
  it('keep of one that it has what is not set, and say what is', () => {
    const made = madeOf(over('tcp', { connectBurst: 7 }));
    expect(made.listeners.tcp).toEqual({ ...base.listeners.tcp, connectBurst: 7 });
    expect(sourceOf(made, 'listeners.tcp.connectBurst')).toBe('api');
    expect(sourceOf(made, 'listeners.tcp.port')).toBe('environment');
    expect(base.listeners.tcp.connectBurst).not.toBe(7);
  });

  it('have defaults under another name', () => {
    const made = madeOf(over('plant', { transport: 'ws', port: 1_999 }));
    expect(made.listeners['plant']).toMatchObject({ path: '/mqtt', enabled: true });
  });

  it.each([
    ['plant', { port: 1 }, 'listeners.plant.transport'],
    ['tcp', { port: 'x' }, 'listeners.tcp.port'],
    ['tcp', { prt: 1 }, 'listeners.tcp.prt'],
    ['Plant', { transport: 'tcp', port: 1 }, 'listeners.Plant'],
    ['tls', { enabled: true }, 'listeners.tls.tls.certFile'],
  ])('are refused where %s is %j', (name, settings, field) => {
    const result = over(name, settings);
    expect(result).toMatchObject({
      kind: 'faulty',
      faults: expect.arrayContaining([expect.objectContaining({ field })]),
    });
  });

  it('let nobody in whom the configuration keeps out', () => {
    const anywhere = { host: '0.0.0.0' };
    expect(over('tcp', anywhere)).toMatchObject({ kind: 'faulty', faults: [{ field: 'auth' }] });
    const open = load({ SKEIN_AUTH_ANONYMOUS: 'true' });
    expect(over('tcp', anywhere, open).kind).toBe('overridden');
  });

  it('take files from where the configuration has some, and from nowhere else', () => {
    const tls = { certFile: '/certs/own.pem', keyFile: '/certs/own.key' };
    const files = load({
      SKEIN_LISTENERS_TLS_ENABLED: 'true',
      SKEIN_LISTENERS_TLS_TLS_CERT_FILE: tls.certFile,
      SKEIN_LISTENERS_TLS_TLS_KEY_FILE: tls.keyFile,
      SKEIN_BRIDGE_SECRETS_DIR: '/secrets',
    });
    const withFile = (certFile: string) =>
      over('plant', { transport: 'tcp', port: 1, tls: { ...tls, certFile } }, files);
    for (const file of ['/certs/b.pem', '/certs/sub/b.pem', '/secrets/b.pem']) {
      expect(withFile(file).kind).toBe('overridden');
    }
    for (const file of ['/certs/../etc/b.pem', '/etc/b.pem', '/certs', '/certsx/b.pem']) {
      expect(withFile(file)).toMatchObject({ faults: [{ field: 'listeners.plant.tls.certFile' }] });
    }
  });
});
