// The admin API beside many clients: what its answers take, and what they cost those clients; see --help.
import { loadavg } from 'node:os';
import { Population } from './api/population.mjs';
import { Reader, faultsOf, percentiles } from './api/reader.mjs';
import { startApi, startCluster } from './clusters.mjs';
import { COMMON_HELP, UsageError, runCommand, wholeNumber } from './command.mjs';
import { runMqttload } from './mqttload.mjs';
import { short } from './report.mjs';

const POINT_BAR_MS = 100;
const LIST_BAR_MS = 300;

const HELP = `usage: npm run bench:api -- [options]

Connects clients to the nodes of a cluster, leaves as many persistent sessions of clients that are away, and lets a tenth
of the clients come and go all the time. Then it walks /clients and /sessions by cursors, in pages of 1,000 and of 100, and
compares what it got with who was there throughout: nobody may be missing or come twice. It prints the 95th percentile of
single reads (bar ${POINT_BAR_MS} ms) and of lists of 100 rows (bar ${LIST_BAR_MS} ms), and the 99th percentile of a message from one client to
another during walks and without them. Nodes and Redis share a core, the API and the clients have the other. About five
minutes with the default, which needs 20,000 open files a process; a bar that is missed is exit code 1.

  --clients N       connected clients (default 50000), and as many sessions of clients that are away
  --nodes N         nodes (default 3)
  --reads N         single reads and lists of each kind (default 400)
  --seconds N       how long messages are timed, without walks and during them (default 20)
${COMMON_HELP.replace(/^ {2}--rounds.*/, '  --rounds N        walks of each list at least (default 1)')}`;

const OPTIONS = {
  clients: { type: 'string', default: '50000' },
  nodes: { type: 'string', default: '3' },
  reads: { type: 'string', default: '400' },
  seconds: { type: 'string', default: '20' },
  rounds: { type: 'string', default: '1' },
};

/** A pair of clients on two nodes whose messages are timed. */
const PROBE = ['pubsub', '-p', '1', '-s', '1', '-q', '1', '--rate', '200', '--topic', 'probe'];
const WARMUP_S = 1;
const WALKS = [
  { operation: 'listClients', limit: 1_000 },
  { operation: 'listSessions', limit: 1_000 },
  { operation: 'listClients', limit: 100 },
  { operation: 'listSessions', limit: 100 },
];
const LISTS = [
  { name: 'sessions that are away', operation: 'listSessions', query: { state: 'disconnected' } },
  { name: 'the latest to connect', operation: 'listClients', query: { sort: '-connected_at' } },
  { name: 'of no user that there is', operation: 'listClients', query: { username: 'nobody' } },
  { name: 'from the end', operation: 'listClients', query: { sort: '-client_id' } },
];

function settingsOf(values) {
  const nodes = wholeNumber('nodes', values.nodes, 1);
  if (nodes > 20) throw new UsageError('--nodes: 20 at most');
  return {
    clients: wholeNumber('clients', values.clients, 20),
    nodes,
    reads: wholeNumber('reads', values.reads, 20),
    seconds: wholeNumber('seconds', values.seconds, 1),
  };
}

/** Tells how the run goes on; results go to standard output. */
const progress = (text) => console.error(text);

/** Starts nodes, API and clients. */
async function populate(settings, { group, directory, program }) {
  const { cores, build, nodes, clients } = settings;
  const connectionsMax = { SKEIN_LISTENERS_TCP_CONNECTIONS_MAX: String(clients * 2) };
  const options = { kind: 'skein', nodes, core: cores.broker, build, directory };
  const cluster = await startCluster(group, { ...options, settings: connectionsMax });
  const api = await startApi(group, {
    ...{ redis: cluster.redis, core: cores.generator, build },
    settings: { SKEIN_API_RATE_LIMITS_REQUESTS_PER_SECOND: '0' },
  });
  const reader = new Reader(api.origin);
  const targets = cluster.nodes.map(({ ports }) => `127.0.0.1:${ports.mqtt}`);
  const population = new Population({ group, program, core: cores.generator, targets });
  progress(`leaving ${clients} sessions`);
  const away = await population.leaveSessions(clients);
  const coming = Math.round(clients / 10);
  progress(`connecting ${clients - coming} clients, ${coming} more come and go`);
  const here = await population.connect(clients - coming, () => reader.connections());
  population.churn(coming);
  return { cluster, reader, population, here, away, coming };
}

/** Walks each list until it is told to stop, some times at least; the faults and times of each. */
async function walkAll({ reader, here, away, population }, { rounds, isOver }) {
  const results = WALKS.map((walk) => ({ ...walk, walks: 0, rows: 0, missed: 0, repeated: 0 }));
  const timesMs = new Map(results.map((result) => [result, []]));
  const expected = [...here, ...away];
  for (let round = 0; round < rounds || !isOver(); round += 1) {
    for (const result of results) {
      const { operation, limit } = result;
      const before = population.batches;
      const { ids, timesMs: times } = await reader.walk(operation, { limit });
      population.assert();
      const { rows, missed, repeated } = faultsOf(ids, expected);
      result.walks += 1;
      result.rows = rows;
      result.missed += missed.length;
      result.repeated += repeated;
      result.batches = (result.batches ?? 0) + population.batches - before;
      timesMs.get(result).push(...times);
    }
  }
  return results.map((result) => ({ ...result, ...percentiles(timesMs.get(result)) }));
}

/** The 99th percentile of a message's way, in milliseconds, while something is done. */
async function probe(world, { settings, tools }, during) {
  const args = [...PROBE, '--warmup', String(WARMUP_S), '--duration', String(settings.seconds)];
  let isOver = false;
  const measured = runMqttload(tools, {
    ...{ core: settings.cores.generator, server: world.cluster, args },
    seconds: settings.seconds + WARMUP_S,
  }).finally(() => (isOver = true));
  const [figures, result] = await Promise.all([measured, during(() => isOver)]);
  const { e2e_p50_us: p50, e2e_p99_us: p99, lost } = figures;
  return { figures: { p50Ms: p50 / 1_000, p99Ms: p99 / 1_000, lost }, result };
}

async function readAll({ reader, here, away }, { reads }) {
  const points = [];
  for (const operation of ['getClient', 'getSession']) {
    for (const [kind, ids] of Object.entries({ connected: here, away })) {
      const times = await reader.points(operation, ids, reads);
      points.push({ name: `${operation}, ${kind}`, ...percentiles(times) });
    }
  }
  const lists = [];
  for (const { name, operation, query } of LISTS) {
    const times = await reader.pages(operation, { limit: 100, ...query }, reads);
    lists.push({ name: `${operation}, ${name}`, ...percentiles(times) });
  }
  return { points, lists };
}

const row = ({ name, p50Ms, p95Ms, mostMs }) =>
  `  ${name.padEnd(40)} p50 ${short(p50Ms)}  p95 ${short(p95Ms)}  most ${short(mostMs)}`;

function linesOf({ walks, points, lists, quiet, walked, ratio, met }) {
  return [
    'walks (ms a page; missed and repeated of those who were there throughout)',
    ...walks.map((walk) => {
      const name = `${walk.operation}, limit ${walk.limit}`;
      const faults = `missed ${walk.missed}, repeated ${walk.repeated}`;
      const among = `${walk.walks} x ${walk.rows} rows, ${walk.batches} batches came and went`;
      return `${row({ name, ...walk })}  ${faults}  (${among})`;
    }),
    `single reads (ms, bar ${POINT_BAR_MS})`,
    ...points.map(row),
    `lists of 100 rows (ms, bar ${LIST_BAR_MS})`,
    ...lists.map(row),
    'a message from client to client (ms)',
    `  without walks   p50 ${short(quiet.p50Ms)}  p99 ${short(quiet.p99Ms)}  lost ${quiet.lost}`,
    `  during walks    p50 ${short(walked.p50Ms)}  p99 ${short(walked.p99Ms)}  lost ${walked.lost}`,
    `  ratio of p99    ${short(ratio)}`,
    `bars: ${met ? 'met' : 'MISSED'}`,
  ];
}

async function run(settings, tools) {
  const startedMs = performance.now();
  const world = await populate(settings, tools);
  try {
    progress('single reads and lists');
    const { points, lists } = await readAll(world, settings);
    progress('messages without walks');
    const use = { settings, tools };
    const quiet = await probe(world, use, async () => undefined);
    progress('walks');
    const walked = await probe(world, use, (isOver) =>
      walkAll(world, { rounds: settings.rounds, isOver }),
    );
    const walks = walked.result;
    const pages = walks.filter(({ limit }) => limit === 100);
    const result = {
      ...{ clients: settings.clients, coming: world.coming, nodes: settings.nodes, walks },
      ...{ points, lists, quiet: quiet.figures, walked: walked.figures },
      ratio: walked.figures.p99Ms / quiet.figures.p99Ms,
      met:
        walks.every(({ missed, repeated }) => missed + repeated === 0) &&
        points.every(({ p95Ms }) => p95Ms < POINT_BAR_MS) &&
        [...lists, ...pages].every(({ p95Ms }) => p95Ms < LIST_BAR_MS),
    };
    console.log(settings.json ? JSON.stringify(result) : linesOf(result).join('\n'));
    if (!result.met) process.exitCode = 1;
    const seconds = Math.round((performance.now() - startedMs) / 1_000);
    progress(`${seconds} s; load of the machine afterwards: ${loadavg().map(short).join(' ')}`);
  } finally {
    world.population.end();
  }
}

await runCommand({ help: HELP, options: OPTIONS, settingsOf, run });
