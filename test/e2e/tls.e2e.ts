import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { connectAsync } from 'mqtt';
import { TestAuthority, freePort } from '#libs/testkit';
import { Broker } from './harness/broker.ts';
import { MosquittoSub, mosquittoPub } from './harness/mosquitto.ts';
import { Scope } from './harness/scope.ts';

const scope = new Scope();
let authority: TestAuthority;

beforeAll(async () => {
  authority = await TestAuthority.create();
});
afterEach(() => scope.close());
afterAll(() => authority.remove());

it('carries messages between mosquitto over TLS, with a certificate, and MQTT.js over wss', async () => {
  const server = await authority.issue({ commonName: 'localhost', names: 'IP:127.0.0.1' });
  const device = await authority.issue({ commonName: 'device-7' });
  const [tls, wss] = [await freePort(), await freePort()];
  await Broker.start(scope, {
    LISTENERS_TLS_ENABLED: 'true',
    LISTENERS_TLS_PORT: tls,
    LISTENERS_TLS_TLS_CERT_FILE: server.certFile,
    LISTENERS_TLS_TLS_KEY_FILE: server.keyFile,
    LISTENERS_TLS_TLS_CA_FILE: authority.caFile,
    LISTENERS_TLS_TLS_CLIENT_CERTIFICATE: 'require',
    LISTENERS_WSS_ENABLED: 'true',
    LISTENERS_WSS_PORT: wss,
    LISTENERS_WSS_TLS_CERT_FILE: server.certFile,
    LISTENERS_WSS_TLS_KEY_FILE: server.keyFile,
  });
  const own = ['--cafile', authority.caFile, '--cert', device.certFile, '--key', device.keyFile];
  const receiver = await MosquittoSub.open(scope, tls, [...own, '-t', 'demo/#', '-q', '1']);
  const ca = await readFile(authority.caFile);
  const browser = await connectAsync(`wss://127.0.0.1:${String(wss)}/mqtt`, { ca });
  await browser.publishAsync('demo/browser', 'over wss', { qos: 1 });
  await browser.endAsync();

  await mosquittoPub(scope, tls, [...own, '-t', 'demo/device', '-q', '1', '-m', 'over TLS']);
  expect(await receiver.receives(2)).toEqual([
    'demo/browser q1 r0 over wss',
    'demo/device q1 r0 over TLS',
  ]);
  const without = ['--cafile', authority.caFile, '-t', 'demo/x', '-m', 'x'];
  await expect(mosquittoPub(scope, tls, without)).rejects.toThrow('mosquitto_pub');
});

it('does not start with a key of another certificate, and says which in one line', async () => {
  const server = await authority.issue({ commonName: 'localhost' });
  const other = await authority.issue({ commonName: 'other' });
  const broker = await Broker.prepare(scope, {
    LISTENERS_TLS_ENABLED: 'true',
    LISTENERS_TLS_TLS_CERT_FILE: server.certFile,
    LISTENERS_TLS_TLS_KEY_FILE: other.keyFile,
  });
  broker.launch();

  expect(await broker.child.exit()).toBe(2);
  expect(broker.child.output).toContain(
    'listeners.tls.tls.keyFile: does not belong to the certificate; correct the file or its path\n',
  );
});
