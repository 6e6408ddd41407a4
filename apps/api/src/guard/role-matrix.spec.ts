import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { OPERATIONS, SCOPES, type Operation, type Scope } from '#libs/api-contracts';
import { everyOperation } from '../../../../test/api/every-operation.ts';
import type { Guard } from './guard.ts';
import { newId } from './key-secret.ts';

/** What the contract of the API says that each role may do, written down once more. */
const VIEWED =
  'system cluster nodes operations listeners clients sessions subscriptions topics retained delayed bans bridges bridge_rules dead_letters config events stats alarms certificates';
const OPERATED =
  'cluster nodes operations listeners clients sessions subscriptions topics retained delayed bans bridges bridge_rules dead_letters config alarms certificates';
const has = (list: string, resource: string): boolean => list.split(' ').includes(resource);

const ROLES: Readonly<Record<string, (resource: string, verb: string) => boolean>> = {
  viewer: (resource, verb) => verb === 'read' && has(VIEWED, resource),
  operator: (resource, verb) =>
    ROLES['viewer']?.(resource, verb) === true ||
    (verb !== 'read' && has(OPERATED, resource)) ||
    has('traces webhooks logs diagnostics', resource) ||
    (resource === 'backups' && verb !== 'execute'),
  publisher: (resource, verb) =>
    has('system:read topics:read messages:publish', `${resource}:${verb}`),
  security_admin: (resource, verb) =>
    ROLES['viewer']?.(resource, verb) === true ||
    has('bans auth users acl api_keys roles', resource) ||
    has('audit:read certificates:execute', `${resource}:${verb}`),
  admin: () => true,
};

const CALLERS = ['none', 'expired', ...Object.keys(ROLES), 'exactly', 'all but'] as const;

const ALL: readonly (readonly [string, Operation])[] = Object.entries<Operation>(OPERATIONS);

let server: FastifyInstance;
let guard: Guard;
const secrets = new Map<string, string>();

beforeAll(async () => {
  ({ server, guard } = await everyOperation());
  for (const role of Object.keys(ROLES)) secrets.set(role, await secretOf({ role }));
  secrets.set('expired', await secretOf({ role: 'admin', expiresAtMs: 1 }));
});

afterAll(() => server.close());

async function secretOf(own: {
  readonly role?: string;
  readonly scopes?: readonly Scope[];
  readonly expiresAtMs?: number;
}): Promise<string> {
  const key = { id: newId(), name: 'k', cidrs: [], createdBy: 'test', scopes: [], ...own };
  const issued = await guard.keys.create(key);
  if (issued === undefined) throw new Error('not made');
  return issued.secret;
}

/** The scopes that an operation needs: one, and perhaps others besides. */
function neededBy({ scope, alsoNeeds = [] }: Operation): readonly Scope[] {
  return scope === 'any' || scope === 'none' ? [] : [scope, ...alsoNeeds];
}

async function credentialOf(caller: string, operation: Operation): Promise<string | undefined> {
  const needed = neededBy(operation);
  if (caller === 'none') return undefined;
  if (caller === 'exactly') return secretOf({ scopes: needed });
  if (caller !== 'all but') return secrets.get(caller);
  const [lacking] = needed;
  return secretOf({ scopes: SCOPES.filter((scope) => scope !== lacking) });
}

function expected(caller: string, operation: Operation): string {
  if (operation.scope === 'none') return 'allowed';
  if (caller === 'none') return '401 unauthenticated';
  if (caller === 'expired') return '401 expired-credential';
  const needed = neededBy(operation);
  if (caller === 'exactly') return 'allowed';
  if (caller === 'all but') return needed.length === 0 ? 'allowed' : '403 forbidden';
  const isAllowed = needed.every((scope) => {
    const [resource = '', verb = ''] = scope.split(':');
    return ROLES[caller]?.(resource, verb) === true;
  });
  return isAllowed ? 'allowed' : '403 forbidden';
}

async function outcome(operation: Operation, secret: string | undefined): Promise<string> {
  const answer = await server.inject({
    method: operation.method.toUpperCase() as 'GET',
    url: operation.path.replaceAll(/\{\w+\}/g, 'x'),
    ...(secret !== undefined && { headers: { authorization: `Bearer ${secret}` } }),
  });
  if (answer.statusCode === 204) return 'allowed';
  return `${answer.statusCode} ${answer.json<{ code: string }>().code}`;
}

it.each(ALL)('%s is for those who have its scope', async (_, operation) => {
  const wanted: Record<string, string> = {};
  const found: Record<string, string> = {};
  for (const caller of CALLERS) {
    wanted[caller] = expected(caller, operation);
    found[caller] = await outcome(operation, await credentialOf(caller, operation));
  }
  expect(found).toEqual(wanted);
});

it('names no scope that nobody but an admin could have by accident', () => {
  const known = new Set<string>(SCOPES);
  const unknown = ALL.flatMap(([, operation]) => neededBy(operation)).filter((s) => !known.has(s));
  expect(unknown).toEqual([]);
});

it('refuses paths that there are not to nobody known, and says so to others', async () => {
  const url = '/api/v1/nothing';
  expect((await server.inject({ url })).statusCode).toBe(401);
  const headers = { authorization: `Bearer ${secrets.get('viewer') ?? ''}` };
  expect((await server.inject({ url, headers })).statusCode).toBe(404);
});

it('holds HEAD to what GET needs', async () => {
  const head = async (role: string) => {
    const headers = { authorization: `Bearer ${secrets.get(role) ?? ''}` };
    return (await server.inject({ method: 'HEAD', url: '/api/v1/api-keys', headers })).statusCode;
  };
  expect([await head('viewer'), await head('security_admin')]).toEqual([403, 204]);
});
