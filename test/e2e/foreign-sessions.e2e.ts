import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '#libs/testkit';
import { Client } from './harness/client.ts';
import { startCluster, type Cluster } from './harness/cluster.ts';
import { Scope } from './harness/scope.ts';

const WAIT_MS = 20_000;
const NOT_AUTHORIZED = 0x87;
const SETTINGS = {
  AUTH_USERS: '[{ name: ann, password: low water }, { name: eve, password: high water }]',
  AUTH_ITERATIONS: 4096,
  AUTH_ANONYMOUS: 'false',
  ACL_DEFAULT: 'allow',
};
const ANN = { username: 'ann', password: 'low water' };
const EVE = { username: 'eve', password: 'high water' };
const KEPT = { clean: false, properties: { sessionExpiryInterval: 3_600 } };

jest.setTimeout(90_000);

describe('the session of another user in a cluster', () => {
  const shared = new Scope();
  const scope = new Scope();
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster(shared, SETTINGS);
  });
  afterAll(() => shared.close());
  afterEach(() => scope.close());

  const url = (node: number): string => cluster.nodes[node]?.url ?? '';

  /** The code of the CONNACK that refuses eve under a client id; undefined for one that does not. */
  async function refusal(node: number, clientId: string, own: object): Promise<number | undefined> {
    const { mqtt } = new Client(scope, url(node), { ...EVE, ...own, clientId });
    const code = await new Promise<number | undefined>((resolve) => {
      mqtt.once('connect', () => resolve(undefined));
      mqtt.once('error', (error) => resolve((error as { readonly code?: number }).code ?? -1));
    });
    await mqtt.endAsync(true);
    return code;
  }

  /** What eve is told at every node, with and without Clean Start, and by MQTT 3.1.1. */
  async function refusals(clientId: string): Promise<readonly (number | undefined)[]> {
    const codes: (number | undefined)[] = [];
    for (const node of [0, 1, 2]) {
      codes.push(
        await refusal(node, clientId, KEPT),
        await refusal(node, clientId, { clean: true }),
      );
    }
    const old = { protocolVersion: 4, clean: false };
    return [...codes, await refusal(1, clientId, old)];
  }

  const ALL_REFUSED = [...Array.from({ length: 6 }, () => NOT_AUTHORIZED), 5];

  it('is refused with 0x87 at every node while its client is connected, which goes on', async () => {
    const device = await Client.connect(scope, url(0), { ...ANN, ...KEPT, clientId: 'live' });
    await device.subscribe('live/#');
    expect(await refusals('live')).toEqual(ALL_REFUSED);
    const publisher = await Client.connect(scope, url(1), EVE);
    await publisher.publish('live/a', 'still mine');
    expect((await device.receives(1))[0]?.payload).toBe('still mine');
    expect([device.closes, device.disconnects]).toEqual([0, []]);
  });

  it('is refused while its client is away, and keeps its queue and its subscriptions', async () => {
    const device = await Client.connect(scope, url(0), { ...ANN, ...KEPT, clientId: 'away' });
    await device.subscribe('away/#');
    await device.leave();
    const publisher = await Client.connect(scope, url(2), EVE);
    await publisher.publish('away/a', 'before');
    expect(await refusals('away')).toEqual(ALL_REFUSED);
    await publisher.publish('away/a', 'after');
    // Of its own user another node has it at once, with all of it.
    const back = new Client(scope, url(1), { ...ANN, ...KEPT, clientId: 'away' });
    await back.receives(2);
    expect([back.sessionPresent, back.payloads]).toEqual([true, ['before', 'after']]);
    await publisher.publish('away/b', 'live again');
    await until(() => back.payloads.includes('live again'), WAIT_MS);
  });

  it('is refused also when its node has died, whoever inherits it', async () => {
    const device = await Client.connect(scope, url(0), { ...ANN, ...KEPT, clientId: 'orphan' });
    await device.subscribe('orphan/#');
    const publisher = await Client.connect(scope, url(1), EVE);
    await cluster.nodes[0].kill();
    await publisher.publish('orphan/a', 'for ann');
    for (const node of [1, 2]) {
      expect(await refusal(node, 'orphan', KEPT)).toBe(NOT_AUTHORIZED);
      expect(await refusal(node, 'orphan', { clean: true })).toBe(NOT_AUTHORIZED);
    }
    const back = new Client(scope, url(2), { ...ANN, ...KEPT, clientId: 'orphan' });
    await back.receives(1, WAIT_MS);
    expect([back.sessionPresent, back.payloads]).toEqual([true, ['for ann']]);
  });
});
