import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { ConfigError } from '#libs/config';
import { OpsServer, createLog, startupFault } from './index.ts';

const log = createLog({ level: 'error', format: 'text', write: () => {} });

it('names the field and the fix when a port is taken', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  const ops = new OpsServer({
    host: '127.0.0.1',
    port,
    metrics: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
    ready: () => ({}),
    started: () => ({}),
    log,
  });

  const error = await ops.open().catch((reason: unknown) => reason);

  expect(startupFault(error, 'api.opsPort')).toBe(
    `api.opsPort: 127.0.0.1:${port} is in use; choose another port or stop the program that has it`,
  );
  await new Promise((resolve) => taken.close(resolve));
});

it('passes on what the configuration says of itself, and knows nothing of bugs', () => {
  const fault = new ConfigError([
    { field: 'api.port', problem: 'must be a port', fix: 'see docs' },
  ]);

  expect(startupFault(fault, 'x')).toBe('api.port: must be a port; see docs');
  expect(startupFault(new TypeError('bug'), 'x')).toBeUndefined();
});
