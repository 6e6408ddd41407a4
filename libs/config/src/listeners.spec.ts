import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { ConfigError, enabledListeners, loadConfig } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'skein-listeners-'));
const file = join(directory, 'skein.yaml');

afterAll(() => rmSync(directory, { recursive: true, force: true }));

const load = (yaml: string, env: Readonly<Record<string, string>> = {}) => {
  writeFileSync(file, yaml);
  return loadConfig({ env, file });
};

const faultsOf = (yaml: string): readonly string[] => {
  try {
    load(yaml);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.map((each) => each.field);
    throw error;
  }
  return [];
};

describe('listeners by name', () => {
  it('are tcp and ws without a word, and tls and wss when they are wanted', () => {
    const named = (yaml: string, env = {}) =>
      enabledListeners(load(yaml, env)).map(({ name, port }) => `${name} ${port}`);

    expect(named('')).toEqual(['tcp 1883', 'ws 8083']);
    const files = { CERT_FILE: 'crt', KEY_FILE: 'key' };
    const env = Object.fromEntries(
      ['TLS', 'WSS'].flatMap((name) => [
        [`SKEIN_LISTENERS_${name}_ENABLED`, 'true'],
        ...Object.entries(files).map(([key, value]) => [
          `SKEIN_LISTENERS_${name}_TLS_${key}`,
          value,
        ]),
      ]),
    ) as Record<string, string>;
    expect(named('listeners: { tcp: { enabled: false } }', env)).toEqual([
      'ws 8083',
      'tls 8883',
      'wss 8084',
    ]);
  });

  it('may have any other name with a transport', () => {
    const [, , partners] = enabledListeners(
      load(
        'listeners: { partners: { transport: ws, port: 1, tls: { certFile: c, keyFile: k, sni: [{ names: [a.b], certFile: c, keyFile: k }] } } }',
      ),
    );

    expect(partners).toMatchObject({
      name: 'partners',
      path: '/mqtt',
      tls: { clientCertificate: 'none', minVersion: 'TLSv1.2', sni: [{ names: ['a.b'] }] },
    });
  });

  it('name what is missing or unknown by its path', () => {
    expect(faultsOf('listeners: { p: { port: 1 } }')).toEqual(['listeners.p.transport']);
    expect(faultsOf('listeners: { p: { transport: tcp } }')).toEqual(['listeners.p.port']);
    expect(faultsOf('listeners: { p: { transport: tcp, port: 1, path: /x } }')).toEqual([
      'listeners.p.path',
    ]);
    expect(faultsOf('listeners: { P: { transport: tcp, port: 1 } }')).toEqual(['listeners.P']);
    expect(faultsOf('listeners: { p: 1 }')).toEqual(['listeners.p']);
    expect(faultsOf('listeners: { tls: { tls: { sni: [{ names: [] }] } } }')).toContain(
      'listeners.tls.tls.sni[0].names',
    );
  });

  it('need the files of TLS when they are enabled', () => {
    expect(faultsOf('listeners: { tls: { enabled: true } }')).toEqual([
      'listeners.tls.tls.certFile',
      'listeners.tls.tls.keyFile',
    ]);
    const files = 'certFile: c, keyFile: k';
    expect(
      faultsOf(
        `listeners: { wss: { enabled: true, tls: { ${files}, crlFile: r, clientCertificate: request } } }`,
      ),
    ).toEqual(['listeners.wss.tls.caFile']);
    expect(faultsOf('tls: { ticketSecret: { file: a, env: B } }')).toEqual(['tls.ticketSecret']);
  });
});

describe('listeners behind proxies', () => {
  it('name those that may tell where a client is', () => {
    const behind = { SKEIN_LISTENERS_TCP_PROXY_PROTOCOL: 'required' };
    const [tcp] = enabledListeners(
      load('', { ...behind, SKEIN_LISTENERS_TCP_PROXY_FROM: '10.0.0.0/8,2001:db8::1' }),
    );

    expect(tcp).toMatchObject({
      proxyProtocol: 'required',
      proxyFrom: ['10.0.0.0/8', '2001:db8::1'],
    });
    expect(enabledListeners(load(''))).toMatchObject([
      { proxyProtocol: 'off', proxyFrom: [] },
      { proxyProtocol: 'off', proxyFrom: [] },
    ]);
  });

  it('must name them, as networks', () => {
    expect(faultsOf('listeners: { ws: { proxyProtocol: required } }')).toEqual([
      'listeners.ws.proxyFrom',
    ]);
    expect(faultsOf('listeners: { ws: { proxyProtocol: true, proxyFrom: [] } }')).toEqual([
      'listeners.ws.proxyProtocol',
    ]);
    const further = 'transport: tcp, port: 1, proxyProtocol: required';
    expect(faultsOf(`listeners: { p: { ${further}, proxyFrom: [10.0.0.0/33] } }`)).toEqual([
      'listeners.p.proxyFrom[0]',
    ]);
  });
});
