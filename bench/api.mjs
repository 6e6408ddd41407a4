// The admin API beside many clients: what its answers take, and what they cost those clients; see --help.
import { loadavg } from 'node:os';
import { Population } from './api/population.mjs';
import { Reader, faultsOf, percentiles } from './api/reader.mjs';
import { startApi, startCluster } from './clusters.mjs';
import { COMMON_HELP, UsageError, runCommand, wholeNumber } from './command.mjs';
import { runMqttload } from './mqttload.mjs';
import { median, short } from './report.mjs';

const POINT_BAR_MS = 100;
const LIST_BAR_MS = 300;

const RATIO_BAR = 1.25;
/** Less than that is no difference that a client could tell, whatever the ratio. */
const RATIO_FLOOR_MS = 2;

const HELP = `usage: npm run bench:api -- [options]

Connects clients to the nodes of a cluster, leaves persistent sessions of clients that are away, and lets a tenth of the
clients come and go all the time. Then it walks /clients and /sessions by cursors, in pages of 1,000 and of 100, and
compares what it got with who was there throughout: nobody may be missing or come twice. It prints the 95th percentile of
single reads (bar ${POINT_BAR_MS} ms) and of lists of 100 rows (bar ${LIST_BAR_MS} ms), and the time of a message from one client to
another during walks and, before and after, without them: medians of several stretches of time (bar of their ratio, for
the 50th and the 99th percentile: ${RATIO_BAR}, unless it is less than ${RATIO_FLOOR_MS} ms). Nodes and Redis share a core, the API and the clients have
the other; with --cores B,G others. About ten minutes with the default on a machine that does nothing else. Needs 20,000
open files a process (ulimit -n) and about 3 GiB of memory; a bar that is missed is exit code 1.

  --clients N       connected clients, those that come and go among them (default 50000)
  --sessions N      sessions in all, of clients that are connected or away (default 100000, or twice the clients)
  --nodes N         nodes (default 3)
  --reads N         single reads and lists of each kind (default 400)
  --seconds N       a stretch of time in which messages are timed (default 20)
${COMMON_HELP.replace(/^ {2}--rounds.*/, '  --rounds N        walks of each list at least (default 1)')}

examples:
  npm run bench:api                                              # 50,000 clients, 100,000 sessions
  npm run bench:api -- --clients 3000 --reads 100 --seconds 5    # a look whether it works, in two minutes
  npm run bench:api -- --json > api.json                         # all figures as one object`;

const OPTIONS = {
  clients: { type: 'string', default: '50000' },
  sessions: { type: 'string' },
  nodes: { type: 'string', default: '3' },
  reads: { type: 'string', default: '400' },
  seconds: { type: 'string', default: '20' },
  rounds: { type: 'string', default: '1' },
};

/** A pair of clients on two nodes whose messages are timed. */
const PROBE = ['pubsub', '-p', '1', '-s', '1', '-q', '1', '--rate', '200', '--topic', 'probe'];
const WARMUP_S = 2;
/**
 * The probe shares a core with the API and with clients that connect, and is to time the nodes, not the wait for that core.
 * Who may not ask for it gets 0 and a warning of nice.
 */
const PROBE_NICE = -10;
/** Stretches of time without walks, before them and after them. */
const QUIET_STRETCHES = 2;
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
  const clients = wholeNumber('clients', values.clients, 20);
  const sessions = wholeNumber('sessions', values.sessions ?? String(clients * 2), clients + 1);
  return {
    ...{ clients, sessions, nodes },
    reads: wholeNumber('reads', values.reads, 20),
    seconds: wholeNumber('seconds', values.seconds, 1),
  };
}

/** Tells how the run goes on; results go to standard output. */
const progress = (text) => console.error(text);

/** Starts nodes, API and clients. */
async function populate(settings, { group, directory, program }) {
  const { cores, build, nodes, clients, sessions } = settings;
  // A node holds open files for all that may come: little more than its share, which with the default fits into 20,000.
  const most = Math.ceil((clients / nodes) * 1.1) + 500;
  const connectionsMax = { SKEIN_LISTENERS_TCP_CONNECTIONS_MAX: String(most) };
  const options = { kind: 'skein', nodes, core: cores.broker, build, directory };
  const cluster = await startCluster(group, { ...options, settings: connectionsMax });
  const api = await startApi(group, {
    ...{ redis: cluster.redis, core: cores.generator, build },
    settings: { SKEIN_API_RATE_LIMITS_REQUESTS_PER_SECOND: '0' },
  });
  const reader = new Reader(api.origin);
  const targets = cluster.nodes.map(({ ports }) => `127.0.0.1:${ports.mqtt}`);
  const population = new Population({ group, program, core: cores.generator, targets });
  progress(`leaving ${sessions - clients} sessions`);
  const away = await population.leaveSessions(sessions - clients);
  const coming = Math.round(clients / 10);
  progress(`connecting ${clients - coming} clients, ${coming} more come and go`);
  const here = await population.connect(clients - coming, () => reader.connections());
  population.churn(coming);
  return { cluster, reader, population, here, away, coming };
}

/** Walks each list some times, and on until nobody wants more; the faults and times of each. */
async function walkAll({ reader, here, away, population }, { rounds, enough, isOver }) {
  const results = WALKS.map((walk) => ({
    ...walk,
    ...{ walks: 0, rows: 0, missed: 0, repeated: 0, batches: 0 },
  }));
  const timesMs = new Map(results.map((result) => [result, []]));
  const expected = [...here, ...away];
  for (let turn = 0; turn < rounds * results.length || !isOver(); turn += 1) {
    const result = results[turn % results.length];
    const { operation, limit } = result;
    const before = population.batches;
    const { ids, timesMs: times } = await reader.walk(operation, { limit });
    population.assert();
    const { rows, missed, repeated } = faultsOf(ids, expected);
    if (missed.length > 0) progress(`${operation} missed ${missed.slice(0, 5).join()}`);
    result.walks += 1;
    result.rows = rows;
    result.missed += missed.length;
    result.repeated += repeated;
    result.batches += population.batches - before;
    timesMs.get(result).push(...times);
    if (turn + 1 >= rounds * results.length) enough();
  }
  return results.map((result) => ({ ...result, ...percentiles(timesMs.get(result)) }));
}

/** What a message's way takes in one stretch of time, in milliseconds. */
async function probe(world, { settings, tools }) {
  const args = [...PROBE, '--warmup', String(WARMUP_S), '--duration', String(settings.seconds)];
  const { e2e_p50_us, e2e_p99_us, lost } = await runMqttload(tools, {
    ...{ core: settings.cores.generator, nice: PROBE_NICE, server: world.cluster, args },
    seconds: settings.seconds + WARMUP_S,
  });
  return { p50Ms: e2e_p50_us / 1_000, p99Ms: e2e_p99_us / 1_000, lost };
}

async function quietProbes(world, use) {
  const stretches = [];
  for (let stretch = 0; stretch < QUIET_STRETCHES; stretch += 1) {
    stretches.push(await probe(world, use));
  }
  return stretches;
}

/** Times messages for as long as lists are walked. */
async function walkAndProbe(world, use) {
  const walked = [];
  let isEnough = false;
  let isOver = false;
  const timing = (async () => {
    try {
      while (!isEnough) walked.push(await probe(world, use));
    } finally {
      isOver = true;
    }
  })();
  const walking = walkAll(world, {
    rounds: use.settings.rounds,
    enough: () => (isEnough = true),
    isOver: () => isOver,
  }).finally(() => (isEnough = true));
  const [walks] = await Promise.all([walking, timing]);
  return { walks, walked };
}

/** The medians of stretches of time, and what was lost in all of them. */
const inAll = (stretches) => ({
  p50Ms: median(stretches.map(({ p50Ms }) => p50Ms)),
  p99Ms: median(stretches.map(({ p99Ms }) => p99Ms)),
  lost: stretches.reduce((sum, { lost }) => sum + lost, 0),
  stretches: stretches.length,
});

const isUnaffected = (quietMs, walkedMs) =>
  walkedMs <= Math.max(quietMs * RATIO_BAR, quietMs + RATIO_FLOOR_MS);

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

function linesOf({ walks, points, lists, quiet, walked, ...rest }) {
  const { ratio, missedBars, incomplete } = rest;
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
    `answers that lacked a node, and were asked for again: ${incomplete}`,
    `a message from client to client (ms, bar of the ratios ${RATIO_BAR})`,
    ...Object.entries({ 'without walks': quiet, 'during walks': walked }).map(
      ([name, { p50Ms, p99Ms, lost, stretches }]) =>
        `  ${name.padEnd(15)} p50 ${short(p50Ms)}  p99 ${short(p99Ms)}  lost ${lost}  (${stretches} times)`,
    ),
    `  ratio           p50 ${short(ratio.p50)}  p99 ${short(ratio.p99)}`,
    `bars: ${missedBars.length === 0 ? 'met' : `MISSED: ${missedBars.join(', ')}`}`,
  ];
}

/** The bars that a run has missed. */
function missedOf({ walks, points, lists, quiet, walked, incomplete }) {
  const pages = walks.filter(({ limit }) => limit === 100);
  const bars = {
    'walks miss and repeat nobody': walks.every(({ missed, repeated }) => missed + repeated === 0),
    'single reads': points.every(({ p95Ms }) => p95Ms < POINT_BAR_MS),
    'lists of 100 rows': [...lists, ...pages].every(({ p95Ms }) => p95Ms < LIST_BAR_MS),
    'the middle message is not later': isUnaffected(quiet.p50Ms, walked.p50Ms),
    'late messages are not later': isUnaffected(quiet.p99Ms, walked.p99Ms),
    'all nodes answer': incomplete === 0,
    'no message is lost': quiet.lost + walked.lost === 0,
  };
  return Object.keys(bars).filter((name) => !bars[name]);
}

async function run(settings, tools) {
  const startedMs = performance.now();
  const world = await populate(settings, tools);
  try {
    progress('single reads and lists');
    const { points, lists } = await readAll(world, settings);
    const use = { settings, tools };
    progress('messages without walks');
    const before = await quietProbes(world, use);
    progress('walks');
    const { walks, walked: during } = await walkAndProbe(world, use);
    progress('messages without walks, again');
    const after = await quietProbes(world, use);
    const [quiet, walked] = [inAll([...before, ...after]), inAll(during)];
    const { incomplete } = world.reader;
    const figures = { walks, points, lists, quiet, walked, incomplete };
    const result = {
      ...{ clients: settings.clients, sessions: settings.sessions, coming: world.coming },
      ...{ nodes: settings.nodes, ...figures },
      ratio: { p50: walked.p50Ms / quiet.p50Ms, p99: walked.p99Ms / quiet.p99Ms },
      missedBars: missedOf(figures),
    };
    console.log(settings.json ? JSON.stringify(result) : linesOf(result).join('\n'));
    if (result.missedBars.length > 0) process.exitCode = 1;
    const seconds = Math.round((performance.now() - startedMs) / 1_000);
    progress(`${seconds} s; load of the machine afterwards: ${loadavg().map(short).join(' ')}`);
  } finally {
    world.population.end();
  }
}

await runCommand({ help: HELP, options: OPTIONS, settingsOf, run });
