import { expect } from '@jest/globals';
import { any, idOf, type ContractWorld } from './world.ts';

/** What shows the cluster. */
export async function showCluster({ walk, steps, nodes }: ContractWorld): Promise<void> {
  const node = { node_id: nodes[1].id };
  for (const id of ['getStatus', 'getVersion', 'listFeatures', 'getCluster'] as const) {
    await steps.take([id, 200]);
  }
  await steps.take(['listNodes', 200], {}, { items: [{ id: expect.any(String) }, {}] });
  await steps.take(['listHealthChecks', 200]);
  await steps.take(['getHealthCheck', 200], { path: { check_name: 'redis' } });
  const unfit = { path: { check_name: 'certificate-expiration' } };
  await walk.call('getHealthCheck', unfit);
  for (const id of ['getNode', 'getNodeStats', 'getNodeMetrics', 'getNodeConfig'] as const) {
    await steps.take([id, 200], { path: node });
  }
  await steps.take(['getStats', 200]);
  await steps.takeUntil(['getStatsHistory', 200], { query: { window: '15m' } }, {});
  await steps.take(['streamStats', 200], { headers: { accept: 'text/event-stream' } });
  await steps.take(['streamEvents', 200], { headers: { accept: 'text/event-stream' } });
  const filter = { filter: 'devices/#' };
  const stream = { query: filter, headers: { accept: 'text/event-stream' } };
  await steps.take(['streamMessages', 200], stream);
}

/** Documents. */
export async function showDocuments({ steps }: ContractWorld): Promise<void> {
  for (const id of ['getOpenApi', 'getOpenApiYaml', 'getDocs'] as const) {
    await steps.take([id, 200], { authorization: '' });
  }
  await steps.take(['getDocsAsset', 200], { path: { file: 'swagger-ui.css' } });
  await steps.take(['getProblem', 200], { path: { code: 'not-found' } });
}

/** Listeners that are made, changed and removed. */
async function makeListeners({ steps }: Pick<ContractWorld, 'steps'>): Promise<void> {
  const settings = { transport: 'tcp', host: '127.0.0.1', port: 0 };
  const wrong = { settings: { ...settings, port: 'x' } };
  const draft = { body: { id: 'plant', settings } };
  const plant = { path: { listener_id: 'plant' }, headers: any };
  await steps.take(['createListener', 201], draft, { id: 'plant', refused: [] });
  await steps.take(['createListener', 409], draft);
  await steps.take(['createListener', 422], { body: { id: 'other', ...wrong } });
  await steps.take(['replaceListener', 200], { ...plant, body: { settings } });
  await steps.take(['replaceListener', 422], { ...plant, body: wrong });
  await steps.take(['patchListener', 200], { ...plant, body: { settings: { connectBurst: 9 } } });
  await steps.take(['patchListener', 422], { ...plant, body: wrong });
  await steps.take(['deleteListener', 204], plant);
  const fresh = { ...plant, headers: { 'if-none-match': '*' }, body: { settings } };
  await steps.take(['replaceListener', 201], fresh);
  await steps.take(['deleteListener', 204], plant);
  const own = { path: { listener_id: 'ws' }, headers: any };
  await steps.take(['deleteListener', 409], own);
}

/** Listeners, certificates and nodes. */
export async function changeNodes({ steps, others, nodes }: ContractWorld): Promise<void> {
  const node = { node_id: nodes[1].id };
  await steps.take(['listListeners', 200], {}, { items: [{ id: 'tcp' }, { id: 'ws' }] });
  const ws = { path: { listener_id: 'ws' } };
  await steps.take(['getListener', 200], ws, { id: 'ws' });
  await steps.take(['listNodeListeners', 200], { path: node });
  await steps.take(['stopListener', 202], ws);
  await steps.takeUntil(['getListener', 200], ws, {
    nodes: [{ state: 'stopped' }, { state: 'stopped' }],
  });
  await steps.take(['startListener', 202], ws);
  await steps.takeUntil(['getListener', 200], ws, {
    nodes: [{ state: 'listening' }, { state: 'listening' }],
  });
  await steps.take(['restartListener', 202], ws);
  await makeListeners({ steps });
  await steps.take(['listCertificates', 200]);
  await steps.take(['reloadCertificates', 200]);
  await steps.take(['enterMaintenance', 200], { path: node });
  await steps.take(['getMaintenance', 200], { path: node }, { enabled: true });
  await steps.take(['leaveMaintenance', 204], { path: node });
  await steps.take(['getMaintenance', 200], { path: node }, { enabled: false });
  await steps.take(['setDrainSkip', 200], { body: { seconds: 1 } });
  await steps.take(['clearDrainSkip', 204]);
  await steps.take(['getDrainSkip', 200]);
  const drain = { path: node, body: { wait_health_check_seconds: 60 } };
  await steps.take(['startDrain', 202], drain);
  await steps.take(['startDrain', 409], drain);
  await steps.take(['getDrain', 200], { path: node });
  await steps.take(['stopDrain', 204], { path: node });
  expect(others.map(({ isConnected }) => isConnected)).not.toContain(false);
  await steps.take(['deleteNode', 409], { path: node });
  await steps.take(['startRebalance', 200], { body: { dry_run: true } });
  const eager = { absolute_threshold: 1, relative_threshold: 1.01, connections_per_second: 1 };
  const run = await steps.take(['startRebalance', 202], { body: eager });
  await steps.take(['startRebalance', 409], { body: eager });
  const rebalance = { path: { rebalance_id: idOf(run) } };
  await steps.take(['getRebalance', 200], rebalance);
  await steps.take(['stopRebalance', 204], rebalance);
  await steps.take(['listRebalances', 200]);
}
