import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startRedis, type RedisServer } from '#libs/testkit';
import { Api } from '../../e2e/harness/api.ts';
import { Broker } from '../../e2e/harness/broker.ts';
import { Client } from '../../e2e/harness/client.ts';
import type { Scope } from '../../e2e/harness/scope.ts';
import { Steps } from './steps.ts';
import { Walk } from './walk.ts';

/** What operations are tried on: two nodes, an API, and clients. */
export interface ContractWorld {
  readonly scope: Scope;
  readonly redis: RedisServer;
  readonly nodes: readonly [Broker, Broker];
  readonly walk: Walk;
  readonly steps: Steps;
  /** An API that serves one request a second to each caller. */
  readonly slow: Api;
  /** A client of the first node, `press/7`, that hears `devices/#`. */
  readonly device: Client;
  /** Clients of the second node, `other-0` and so on. */
  readonly others: readonly Client[];
  /** Where a server takes whatever is posted to it. */
  readonly hook: string;
}

/** As it is in the path of an operation. */
export const press = { client_id: 'press/7' };

/** Whatever the revision is. */
export const any = { 'if-match': '*' };

/** Bytes that a body must not have. */
export const TOO_MANY_BYTES = 128 * 1024;

const KEY = 'a-key-for-the-contract-0123456789';
const LASTING = { clean: false, properties: { sessionExpiryInterval: 600 } } as const;
const OTHERS = [0, 1, 2, 3, 4, 5];
const UNLIMITED = {
  API_RATE_LIMITS_REQUESTS_PER_SECOND: 0,
  API_RATE_LIMITS_PUBLISHES_PER_SECOND: 0,
  API_RATE_LIMITS_FAILURES_PER_SECOND: 0,
};
const SLOW = {
  API_RATE_LIMITS_REQUESTS_PER_SECOND: 1,
  API_RATE_LIMITS_REQUEST_BURST: 1,
  API_RATE_LIMITS_PUBLISHES_PER_SECOND: 1,
  API_RATE_LIMITS_PUBLISH_BURST: 1,
};

/** Starts all of it. */
export async function openWorld(scope: Scope): Promise<ContractWorld> {
  const redis = await startRedis({ appendOnly: true });
  scope.add(() => redis.stop());
  const settings = {
    ...{ REDIS_URL: redis.url, REDIS_LEASE_MS: 2_000, LIMITS_PACKET_BYTES_MAX: 8_192 },
    ...{ AUTH_CHAIN: '[{ kind: stored }]', AUTH_ANONYMOUS: 'true', ACL_DEFAULT: 'allow' },
    ...{ AUTH_SALT_SECRET: 'a-secret-of-salts-0123456789', AUTH_HASH_COST: 10 },
    ...{ BACKUPS_DIR: await folder(scope), API_WEBHOOKS_ALLOW_PRIVATE: 'true' },
  };
  const first = await Broker.start(scope, settings);
  const second = await Broker.start(scope, settings);
  const api = await Api.start(scope, { ...settings, ...UNLIMITED }, KEY);
  const slow = await Api.start(scope, { ...settings, ...SLOW }, KEY);
  const walk = new Walk(api.origin, KEY);
  scope.add(async () => walk.close());
  const device = await Client.connect(scope, first.url, { ...LASTING, clientId: 'press/7' });
  await device.subscribe('devices/#');
  await device.subscribe('$share/workers/jobs');
  const others = await Promise.all(
    OTHERS.map((at) => Client.connect(scope, second.url, { ...LASTING, clientId: `other-${at}` })),
  );
  return {
    ...{ scope, redis, nodes: [first, second], walk, steps: new Steps(walk), slow },
    ...{ device, others, hook: await listen(scope) },
  };
}

/** The id of what was made. */
export function idOf({ body }: { readonly body: unknown }): string {
  return (body as { readonly id: string }).id;
}

/** The ids of a page. */
export function idsOf({ body }: { readonly body: unknown }): readonly string[] {
  return (body as { readonly items: readonly { readonly id: string }[] }).items.map(({ id }) => id);
}

async function folder(scope: Scope): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'skein-backups-'));
  scope.add(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function listen(scope: Scope): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    response.end();
  });
  const port = await freePort();
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  scope.add(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${port}/hook`;
}
