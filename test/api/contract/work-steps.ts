import { expect } from '@jest/globals';
import { until } from '#libs/testkit';
import { Client } from '../../e2e/harness/client.ts';
import { any, idOf, idsOf, press, type ContractWorld } from './world.ts';

const WAIT_MS = 30_000;

/** What takes a while. */
export async function workLong({ steps, others, nodes, scope }: ContractWorld): Promise<void> {
  const queued = { filter: { client_id: 'nobody' }, dry_run: true };
  const purged = await steps.take(['purgeSessions', 202], { body: queued });
  await steps.take(['listOperations', 200]);
  const done = { path: { operation_id: idOf(purged) } };
  await steps.takeUntil(['getOperation', 200], done, { state: 'succeeded' });
  await steps.take(['cancelOperation', 409], done);
  const calm = { filter: { client_id: { like: 'other-' } }, per_second: 1 };
  const slowly = await steps.take(['disconnectClients', 202], { body: calm });
  const path = { operation_id: idOf(slowly) };
  await steps.take(['cancelOperation', 202], { path });
  await steps.takeUntil(['getOperation', 200], { path }, { state: 'cancelled' });
  expect(others.map(({ isConnected }) => isConnected)).toContain(true);
  const ids = { client_ids: others.map((_, at) => `other-${at}`) };
  await steps.take(['disconnectClients', 200], { body: ids });
  await until(() => others.every(({ isConnected }) => !isConnected), WAIT_MS);
  const backup = await steps.take(['createBackup', 202], { body: {} });
  const { location = '' } = backup.headers;
  const operation = { path: { operation_id: location.split('/').at(-1) ?? '' } };
  await steps.takeUntil(['getOperation', 200], operation, { state: 'succeeded' });
  const [first = ''] = idsOf(await steps.take(['listBackups', 200]));
  const whole = { path: { backup_id: first } };
  await steps.take(['getBackup', 200], whole);
  await steps.take(['downloadBackup', 200], whole);
  const restored = await steps.take(['restoreBackup', 202], {
    ...whole,
    body: { dry_run: true },
  });
  const restore = { path: { operation_id: idOf(restored) } };
  await steps.takeUntil(['getOperation', 200], restore, { state: 'succeeded' });
  await steps.take(['deleteBackup', 204], whole);
  await steps.take(['deleteSession', 204], { path: press });
  await steps.take(['getSession', 404], { path: press });
  const gone = await Client.connect(scope, nodes[0].url, { clientId: 'gone' });
  await steps.take(['disconnectClient', 204], { path: { client_id: 'gone' } });
  await gone.closed();
}

/** The configuration, and what is logged. */
export async function changeConfig({ steps, nodes }: ContractWorld): Promise<void> {
  await steps.take(['getConfig', 200]);
  const limits = { path: { section: 'limits' } };
  await steps.take(['getConfigSection', 200], limits);
  const fewer = { headers: any, body: { limits: { inflightMax: 63 } } };
  await steps.take(['patchConfig', 200], fewer);
  await steps.take(['patchConfig', 422], { ...fewer, body: { limits: { inflightMax: 0 } } });
  const section = { ...limits, headers: any };
  await steps.take(['patchConfigSection', 200], { ...section, body: { inflightMax: 62 } });
  await steps.take(['patchConfigSection', 422], { ...section, body: { inflightMax: 0 } });
  const settings = { limits: { inflightMax: 61 } };
  await steps.take(['validateConfig', 200], { body: { settings } });
  await steps.take(['listConfigHistory', 200]);
  await steps.take(['rollBackConfig', 200], { headers: any, body: { version: 1 } });
  await steps.take(['getLogLevels', 200]);
  const loud = { level: 'debug', component: 'bridge', ttl_seconds: 600 };
  await steps.take(['setLogLevel', 200], { body: loud });
  await steps.take(['setLogLevel', 404], { body: { ...loud, node: 'nobody' } });
  const [first] = nodes;
  const gathered = await steps.take(['gatherDiagnostics', 202], { body: { nodes: [first.id] } });
  const bundle = { path: { operation_id: idOf(gathered) } };
  await steps.takeUntil(['getOperation', 200], bundle, { state: 'succeeded' });
}

/** What a client sends and is sent. */
export async function traceClients({ steps, device }: ContractWorld): Promise<void> {
  const until = new Date(Date.now() + 600_000).toISOString();
  const body = { client_id: 'press/7', until };
  const trace = { path: { trace_id: idOf(await steps.take(['createTrace', 201], { body })) } };
  await steps.take(['listTraces', 200]);
  await steps.take(['getTrace', 200], trace, { state: 'running' });
  await device.mqtt.publishAsync('devices/7/traced', 'x', { qos: 1 });
  await steps.take(['stopTrace', 200], trace, { state: 'stopped' });
  await steps.take(['readTraceContent', 200], trace);
  await steps.take(['deleteTrace', 204], trace);
  await steps.take(['getTrace', 404], trace);
}
