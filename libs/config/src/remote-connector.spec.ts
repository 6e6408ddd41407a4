import { describe, expect, it } from '@jest/globals';
import { loadConfig } from './load.ts';
import { checkRemoteConnector } from './remote-connector.ts';

const KAFKA = { id: 'k', kind: 'kafka', brokers: ['kafka.shop.internal:9092'] };
const HOOK = { id: 'h', kind: 'webhook', url: 'https://hooks.shop.internal/x' };
const MQ = { id: 'r', kind: 'rabbitmq', url: 'amqp://10.0.0.7' };
const sasl = (password: object) => ({ mechanism: 'plain', username: 'u', password });

/** The fields that are faulty. */
function fieldsOf(value: unknown, env: Readonly<Record<string, string>> = {}): string[] {
  const checked = checkRemoteConnector(value, loadConfig({ env }).bridge);
  return checked.kind === 'sound' ? [] : checked.faults.map(({ path }) => path.join('.'));
}

describe('a connector that comes through the API', () => {
  it('gets its defaults as one of the file does', () => {
    expect(checkRemoteConnector(KAFKA, loadConfig({ env: {} }).bridge)).toEqual({
      kind: 'sound',
      connector: { ...KAFKA, enabled: true, clientId: 'skein', compression: 'lz4' },
    });
  });

  it.each([
    [{ ...KAFKA, brokers: [] }, 'brokers'],
    [{ ...KAFKA, pigeons: 1 }, 'pigeons'],
    [{ ...KAFKA, kind: 'pigeon' }, 'kind'],
    [{ ...KAFKA, tls: { certFile: '/s/a' } }, 'tls.keyFile'],
    [{ ...KAFKA, sasl: sasl({ env: 'SKEIN_API_KEY' }) }, 'sasl.password.env'],
    [{ ...MQ, url: 'amqp://guest:guest@h' }, 'url'],
  ])('is refused where one of the file would be: %j', (value, field) => {
    expect(fieldsOf(value, { SKEIN_BRIDGE_SECRETS_DIR: '/s' })).toContain(field);
  });

  it('names no file unless there is a directory for them', () => {
    const values = [
      [{ ...KAFKA, tls: { caFile: '/s/ca', certFile: '/s/c', keyFile: '/s/k' } }, 3],
      [{ ...KAFKA, sasl: sasl({ file: '/s/p' }) }, 1],
      [
        {
          ...KAFKA,
          schemaRegistry: {
            ...{ url: 'http://r', username: 'u', password: { file: '/s/p' }, caFile: '/s/ca' },
          },
        },
        2,
      ],
      [{ ...KAFKA, sasl: { mechanism: 'oauthbearer', token: { file: '/s/t' } } }, 1],
      [{ ...HOOK, url: { file: '/s/u' }, caFile: '/s/ca', headers: { A: { file: '/s/a' } } }, 3],
      [{ ...MQ, url: { file: '/s/u' }, caFile: '/s/ca' }, 2],
    ] as const;
    for (const [value, count] of values) {
      expect(fieldsOf(value)).toHaveLength(count);
      expect(fieldsOf(value, { SKEIN_BRIDGE_SECRETS_DIR: '/s' })).toEqual([]);
      expect(fieldsOf(value, { SKEIN_BRIDGE_SECRETS_DIR: '/s/' })).toEqual([]);
      expect(fieldsOf(value, { SKEIN_BRIDGE_SECRETS_DIR: '/secrets' })).toHaveLength(count);
    }
  });

  it.each(['/etc/passwd', '/s/../etc/passwd', '/s', '/s/', '/s2/x', 's/x', '/s/a\0b', '../s/x'])(
    'does not get out of the directory by %j',
    (file) => {
      const value = { ...KAFKA, sasl: sasl({ file }) };
      expect(fieldsOf(value, { SKEIN_BRIDGE_SECRETS_DIR: '/s' })).toEqual(['sasl.password.file']);
    },
  );

  it('names variables only that begin as the configuration says', () => {
    const of = (env: string) => ({ ...KAFKA, sasl: sasl({ env }) });
    expect(fieldsOf(of('BRIDGE_SECRET_KAFKA'))).toEqual([]);
    expect(fieldsOf(of('HOME'))).toEqual(['sasl.password.env']);
    const env = { SKEIN_BRIDGE_SECRETS_ENV_PREFIX: 'SHOP_' };
    expect(fieldsOf(of('SHOP_KAFKA'), env)).toEqual([]);
    expect(fieldsOf(of('BRIDGE_SECRET_KAFKA'), env)).toEqual(['sasl.password.env']);
    const hook = { ...HOOK, headers: { env: 'a text', Authorization: { env: 'HOME' } } };
    expect(fieldsOf(hook)).toEqual(['headers.Authorization.env']);
  });

  it('leads only to hosts that are allowed', () => {
    const of = (hosts: string) => ({ SKEIN_BRIDGE_ALLOWED_HOSTS: hosts });
    expect(fieldsOf(KAFKA, of('*.shop.internal'))).toEqual([]);
    expect(fieldsOf(KAFKA, of('shop.internal, KAFKA.shop.internal'))).toEqual([]);
    expect(fieldsOf(KAFKA, of('shop.internal'))).toEqual(['brokers.0']);
    const schemaRegistry = { url: 'http://10.0.0.8' };
    expect(fieldsOf({ ...KAFKA, schemaRegistry }, of('*.internal'))).toEqual([
      'schemaRegistry.url',
    ]);
    expect(fieldsOf(HOOK, of('*.internal'))).toEqual([]);
    expect(fieldsOf(HOOK, of('*.op.internal'))).toEqual(['url']);
    expect(fieldsOf(MQ, of('10.0.0.7'))).toEqual([]);
    expect(fieldsOf({ ...HOOK, url: 'http://169.254.169.254/' }, of('*.internal'))).toEqual([
      'url',
    ]);
    expect(fieldsOf({ ...HOOK, url: 'http://[::1]/' }, of('::1'))).toEqual([]);
    expect(fieldsOf({ ...KAFKA, brokers: ['[::1]:9092'] }, of('::1'))).toEqual([]);
  });

  it('tells nothing of what was given', () => {
    const checked = checkRemoteConnector(
      { ...KAFKA, sasl: { mechanism: 'plain', username: 'u', password: 'marker' } },
      loadConfig({ env: {} }).bridge,
    );
    expect(checked.kind).toBe('faulty');
    expect(JSON.stringify(checked)).not.toContain('marker');
  });
});
