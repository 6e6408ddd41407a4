import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import { changeAccess, changeBackends, changeCallers } from '../api/contract/access-steps.ts';
import { changeBridges, changeRules } from '../api/contract/bridge-steps.ts';
import { changeClients, passMessages } from '../api/contract/client-steps.ts';
import { changeNodes, showCluster, showDocuments } from '../api/contract/system-steps.ts';
import { UNSEEN } from '../api/contract/unseen.ts';
import { headFaults } from '../api/contract/usual-heads.ts';
import { keyFailures, usualFailures } from '../api/contract/usual-failures.ts';
import { changeConfig, moveAccess, traceClients, workLong } from '../api/contract/work-steps.ts';
import { openWorld, TOO_MANY_BYTES, type ContractWorld } from '../api/contract/world.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 30_000;
/** What is promised, and the time in which an answer travels on a busy machine. */
const PROMISED_MS = 2_000 + 1_500;

jest.setTimeout(300_000);

const scope = new Scope();
let world: ContractWorld;

beforeAll(async () => {
  world = await openWorld(scope);
});
afterAll(() => scope.close());

/** A key of a caller. */
async function keyOf(more: object): Promise<string> {
  const body = { name: 'a', role: 'admin', ...more };
  const made = await world.steps.take(['createApiKey', 201], { body });
  return `Bearer ${(made.body as { readonly secret: string }).secret}`;
}

it.each([
  ['show the cluster', showCluster],
  ['show documents', showDocuments],
  ['change listeners, certificates and nodes', changeNodes],
  ['change clients, their sessions and subscriptions', changeClients],
  ['pass messages', passMessages],
  ['change users, rules and bans', changeAccess],
  ['change who is asked who a client is', changeBackends],
  ['change keys, roles and webhooks', changeCallers],
  ['change bridges and look at alarms', changeBridges],
  ['change rules of bridges and dead letters', changeRules],
  ['change the configuration and the log', changeConfig],
  ['trace clients', traceClients],
  ['take a while', workLong],
  ['move users and bans', moveAccess],
])('operations that %s do what they say', async (_, steps) => {
  await steps(world);
  expect(world.steps.faults()).toEqual([]);
});

describe('every operation', () => {
  it('has the failures that all have', async () => {
    const elsewhere = await keyOf({ allowed_cidrs: ['192.0.2.1'] });
    const { walk, slow } = world;
    const missed: string[] = [];
    for (const each of walk.operations) {
      const options = { elsewhere, slow, tooManyBytes: TOO_MANY_BYTES };
      missed.push(...(await usualFailures(walk, each, options)));
      await keyFailures(walk, each);
    }
    expect(missed).toEqual([]);
  });

  it('says which methods there are, refuses others, and lets no page of another origin in', async () => {
    expect(await headFaults(world.walk)).toEqual([]);
  });

  it('says in time that Redis is away, to those whose key lies there and to those who need it; all is well again with it', async () => {
    const { walk, redis } = world;
    const authorization = await keyOf({});
    await redis.kill();
    const late: string[] = [];
    const wrong: string[] = [];
    for (const [id, { scope: needed, path }] of walk.operations) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
      const call = { path: Object.fromEntries(names.map((name) => [name, 'x'])) };
      for (const isStored of needed === 'none' ? [false] : [true, false]) {
        const begunAt = performance.now();
        const { status } = await walk.callAgain(id, {
          ...call,
          ...(isStored && { authorization }),
        });
        if (performance.now() - begunAt > PROMISED_MS) late.push(id);
        if (isStored ? status !== 503 : status === 500) wrong.push(`${id} ${status}`);
      }
    }
    expect([late, wrong]).toEqual([[], []]);
    await redis.restart();
    await until(async () => {
      expect((await walk.call('listApiKeys', { authorization })).status).toBe(200);
      expect((await walk.call('listUsers', { authorization })).status).toBe(200);
    }, WAIT_MS);
  });

  it('has answered as documented, with every status but those that are listed', () => {
    const { walk } = world;
    expect(walk.faults).toEqual([]);
    expect(walk.unseen().filter((each) => !each.endsWith(' 500'))).toEqual(UNSEEN);
  });
});
