// A backup of a cluster with many sessions and messages, restored into an empty one; see --help.
import { mkdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatPasswordHash } from '#libs/access';
import { ApiClient } from '#libs/api-client';
import { until } from '../tools/ports.mjs';
import { Population } from './api/population.mjs';
import { startApi, startCluster } from './clusters.mjs';
import { COMMON_HELP, UsageError, runCommand, wholeNumber } from './command.mjs';
import { short } from './report.mjs';

const HELP = `usage: npm run bench:backup -- [options]

Fills a cluster: sessions of clients that are away, each with a queue, retained messages, users, ACL rules, a bridge and a
rule. Makes a backup, ends the cluster with its Redis, restores the backup into another one that is empty, and makes a
backup of that: each section has to have the same checksum. Prints what it took. Nodes and Redis share a core, the API has the
other. About three minutes with the default; anything that differs is exit code 1.

  --sessions N      sessions (default 10000, at most 15000)
  --queued N        messages in each queue (default 10)
  --retained N      retained messages (default 50000)
  --users N         users (default 1000)
  --nodes N         nodes (default 3)
${COMMON_HELP.replace(/^ {2}--rounds.*\n/, '')}`;

const OPTIONS = {
  sessions: { type: 'string', default: '10000' },
  queued: { type: 'string', default: '10' },
  retained: { type: 'string', default: '50000' },
  users: { type: 'string', default: '1000' },
  nodes: { type: 'string', default: '3' },
};

const RULE = { direction: 'mqtt-to-webhook', filter: 'none/#', ack: 'webhook' };
const SESSIONS_MAX = 15_000;
const BULK = 1_000;
const POLL_MS = 100;
const WAIT_MS = 600_000;

function settingsOf(values) {
  const sessions = wholeNumber('sessions', values.sessions, 1);
  if (sessions > SESSIONS_MAX) throw new UsageError(`--sessions: ${SESSIONS_MAX} at most`);
  return {
    sessions,
    queued: wholeNumber('queued', values.queued, 0),
    retained: wholeNumber('retained', values.retained, 0),
    users: wholeNumber('users', values.users, 0),
    nodes: wholeNumber('nodes', values.nodes, 1),
  };
}

const progress = (text) => console.error(text);

/** Starts nodes and an API that keeps backups in a directory. */
async function open({ cores, build, nodes }, { group, directory }, name) {
  const own = join(directory, name);
  const backups = join(directory, 'backups');
  for (const path of [own, backups]) mkdirSync(path, { recursive: true });
  const options = { kind: 'skein', nodes, core: cores.broker, build, directory: own };
  const cluster = await startCluster(group, { ...options });
  const api = await startApi(group, {
    ...{ redis: cluster.redis, core: cores.generator, build },
    settings: {
      SKEIN_API_RATE_LIMITS_REQUESTS_PER_SECOND: '0',
      SKEIN_API_RATE_LIMITS_PUBLISHES_PER_SECOND: '0',
      SKEIN_BACKUPS_DIR: backups,
    },
  });
  const client = new ApiClient({ server: api.origin });
  const isReady = async () =>
    (await client.call('listOperations')).status === 200 &&
    (await client.call('listNodes')).body.items.length === nodes;
  await until('the API', () => isReady().catch(() => false), { deadlineMs: 30_000, pauseMs: 100 });
  const close = async () => {
    await api.server.stop();
    await cluster.stop();
  };
  return { cluster, client, close };
}

async function fill({ cluster, client }, settings, { group, program }) {
  const { sessions, queued, retained, users, cores } = settings;
  const targets = cluster.nodes.map(({ ports }) => `127.0.0.1:${ports.mqtt}`);
  const population = new Population({ group, program, core: cores.generator, targets });
  progress(`leaving ${sessions} sessions`);
  await population.leaveSessions(sessions, 'to/%i');
  progress(`publishing ${sessions * queued} messages to them`);
  await publish(client, sessions * queued, (index) => ({
    ...{ topic: `to/${index % sessions}`, payload: `message ${index}`, qos: 1 },
  }));
  progress(`publishing ${retained} retained messages`);
  await publish(client, retained, (index) => ({
    ...{ topic: `kept/${index % 100}/${index}`, payload: `value ${index}`, qos: 1, retain: true },
  }));
  progress(`making ${users} users`);
  const credentials = [
    formatPasswordHash({
      ...{ cost: 10, blockSize: 8, parallelism: 1 },
      ...{ salt: Buffer.alloc(16, 1), key: Buffer.alloc(32, 2) },
    }),
  ];
  await imported(client, {
    bridges: [{ id: 'hook', kind: 'webhook', url: 'https://hooks.example/x' }],
    bridge_rules: [{ id: 'r', bridge: 'hook', ...RULE }],
    acl_rules: [{ effect: 'allow', topics: ['#'] }],
  });
  for (let from = 0; from < users; from += BULK) {
    const some = Array.from({ length: Math.min(BULK, users - from) }, (_, index) => ({
      ...{ name: `user-${from + index}`, credentials, groups: [], acl: [] },
    }));
    await imported(client, { users: some });
  }
}

async function publish(client, count, messageOf) {
  for (let from = 0; from < count; from += BULK) {
    const length = Math.min(BULK, count - from);
    const body = Array.from({ length }, (_, index) => messageOf(from + index));
    const { items } = (await client.call('publishMessages', { body })).body;
    const fault = items.find(({ status }) => status >= 300);
    if (fault !== undefined) throw new Error(`not published: ${JSON.stringify(fault)}`);
  }
}

async function imported(client, definitions) {
  const body = { format: 'skein-definitions', version: 1, ...definitions };
  const { results } = (await client.call('importDefinitions', { body })).body;
  const fault = results.find(({ outcome }) => outcome === 'failed');
  if (fault !== undefined) throw new Error(`not imported: ${JSON.stringify(fault)}`);
}

/** Waits for a long operation; its result and how long it took. */
async function ended(client, begun) {
  const startedMs = performance.now();
  const { id } = begun.body;
  while (performance.now() - startedMs < WAIT_MS) {
    const { body } = await client.call('getOperation', { path: { operation_id: id } });
    if (body.state === 'succeeded') {
      return { result: body.result, seconds: (performance.now() - startedMs) / 1_000 };
    }
    if (body.ended_at !== null) throw new Error(`${body.kind}: ${JSON.stringify(body.problem)}`);
    await sleep(POLL_MS);
  }
  throw new Error('an operation does not end');
}

const backUp = async (client, body = {}) => {
  const { result, seconds } = await ended(client, await client.call('createBackup', { body }));
  return { ...result.backup, seconds };
};

async function restored(client, { file }) {
  const known = await backUp(client, { file });
  const begun = await client.call('restoreBackup', { path: { backup_id: known.id }, body: {} });
  const { result, seconds } = await ended(client, begun);
  return { ...result, seconds, checkSeconds: known.seconds };
}

const differences = (before, after) =>
  before.sections
    .filter(({ name, items, messages, checksum }) => {
      const other = after.sections.find((each) => each.name === name);
      const isEqual = other?.items === items && other.messages === messages;
      return !isEqual || other.checksum !== checksum;
    })
    .map(({ name }) => name);

function linesOf({ before, restore, after, different }) {
  return [
    ...before.sections.map(
      ({ name, items, messages, checksum }) =>
        `  ${name.padEnd(14)} ${String(items).padStart(8)} items ${String(messages).padStart(8)} queued  ${checksum}`,
    ),
    `backup          ${short(before.seconds)} s, ${before.bytes} bytes`,
    `read and check  ${short(restore.checkSeconds)} s`,
    `restore         ${short(restore.seconds)} s, ${restore.refusals.length} refused`,
    `backup of that  ${short(after.seconds)} s`,
    different.length === 0 ? 'equal by checksum' : `DIFFERENT: ${different.join(', ')}`,
  ];
}

async function run(settings, tools) {
  const source = await open(settings, tools, 'source');
  await fill(source, settings, tools);
  progress('backup');
  const before = await backUp(source.client);
  await source.close();
  const target = await open(settings, tools, 'target');
  progress('restore');
  const restore = await restored(target.client, before);
  const after = await backUp(target.client);
  await target.close();
  const different = differences(before, after);
  const result = { before, restore, after, different };
  console.log(settings.json ? JSON.stringify(result) : linesOf(result).join('\n'));
  const [sessions] = before.sections.filter(({ name }) => name === 'sessions');
  const isWhole = sessions?.messages === settings.sessions * settings.queued;
  if (!isWhole) console.error('some messages were not queued');
  if (different.length > 0 || restore.refusals.length > 0 || !isWhole) process.exitCode = 1;
  progress(`load of the machine afterwards: ${loadavg().map(short).join(' ')}`);
}

await runCommand({ help: HELP, options: OPTIONS, settingsOf, run });
