import { expect } from '@jest/globals';
import { until } from '#libs/testkit';
import { CSV_TYPE, HTPASSWD_TYPE } from '#libs/api-contracts';
import { Client } from '../../e2e/harness/client.ts';
import type { Step } from './steps.ts';
import type { WalkCall } from './walk.ts';
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

/** Users and bans, from files and into them. */
export async function moveAccess({ steps }: ContractWorld): Promise<void> {
  const ends = async (step: Step, call: WalkCall, result: object) => {
    const begun = { path: { operation_id: idOf(await steps.take(step, call)) } };
    await steps.takeUntil(['getOperation', 200], begun, { state: 'succeeded', result });
  };
  const csv = { headers: { 'content-type': CSV_TYPE } };
  const made = { rows: 1, created: 1, updated: 0, skipped: 0, failed: 0 };
  const users = [{ name: 'ferry', password: 'low water', groups: ['crew'] }];
  const dry = { query: { dry_run: 'true' } };
  await ends(['importUsers', 202], { body: users, ...dry }, made);
  await steps.take(['getUser', 404], { path: { user_name: 'ferry' } });
  await ends(['importUsers', 202], { body: users }, made);
  await steps.take(['getUser', 200], { path: { user_name: 'ferry' } }, { groups: ['crew'] });
  const text = 'name,groups\nferry,crew;deck\n';
  const update = { ...csv, text, query: { existing: 'update' } };
  await ends(['importUsers', 202], update, { ...made, created: 0, updated: 1 });
  const hashless = { headers: { 'content-type': HTPASSWD_TYPE }, text: 'tug:not-a-hash\n' };
  const refused = { created: 0, failed: 1, problems: [{ line: 1, name: 'tug' }] };
  await ends(['importUsers', 202], hashless, refused);
  const crew = { body: { filter: { group: 'deck' } } };
  await ends(['exportUsers', 202], crew, {
    count: 1,
    users: [{ name: 'ferry', groups: ['crew', 'deck'] }],
  });
  const bans = { ...csv, text: 'kind,value,reason\nclient_id,raft,noise\n' };
  await ends(['importBans', 202], bans, made);
  await ends(['importBans', 202], bans, { ...made, created: 0, skipped: 1 });
  await steps.take(['getBan', 200], { path: { ban_id: 'client_id:raft' } }, { reason: 'noise' });
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
  const cluster = { headers: any, body: { settings } };
  const tried = { ...cluster, query: { dry_run: 'true' } };
  await steps.take(['patchCluster', 200], tried, { dry_run: true, applied: [] });
  await steps.take(['patchCluster', 200], cluster, { dry_run: false, overrides: settings });
  const unfit = { ...cluster, body: { settings: { limits: { inflightMax: 0 } } } };
  await steps.take(['patchCluster', 422], unfit);
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
