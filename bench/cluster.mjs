// What a message costs that goes through Redis: all processes together, beside the naive composition; see --help.
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { startCluster } from './clusters.mjs';
import { COMMON_HELP, UsageError, runCommand, wholeNumber } from './command.mjs';
import { runMqttload } from './mqttload.mjs';
import { linesOf, median, resultOf, short } from './report.mjs';
import { startMosquitto } from './servers.mjs';

/**
 * 64 bytes of payload, 20 unacknowledged messages per publisher. The loop is closed: a publisher's node acknowledges what
 * the receiver's inbox has, so the load would otherwise measure a growing backlog. The naive composition never gets there.
 */
const PAIRS = [
  ...['pubsub', '-p', '50', '-s', '50', '-q', '1'],
  ...['--size', '64', '--window', '20', '--max-lag', '20000'],
];
const PERSISTENT = [...PAIRS, '--persistent', '--purge'];
const HOP_RATE = 2_000;
const HOP = ['pubsub', '-p', '10', '-s', '10', '-q', '1', '--size', '64', '--rate', `${HOP_RATE}`];

/** `bar` is the share of the naive composition's CPU time that Skein may spend. */
const SCENARIOS = [
  { name: 'S3', title: 'QoS 1 pairs across two nodes', nodes: 2, args: PAIRS, bar: 0.25 },
  {
    name: 'S9',
    title: 'QoS 1 pairs with persistent sessions across two nodes',
    nodes: 2,
    args: PERSISTENT,
    bar: 0.15,
  },
  {
    name: 'S9-one',
    title: 'QoS 1 pairs with persistent sessions on one node and Redis',
    nodes: 1,
    args: PERSISTENT,
    bar: 0.15,
  },
  {
    name: 'hop',
    title: `from publish to receipt at ${short(HOP_RATE)} messages of QoS 1 a second`,
    nodes: 2,
    args: HOP,
    isTimed: true,
  },
];
const NAMES = SCENARIOS.map(({ name }) => name).join(', ');

const HELP = `usage: npm run bench:cluster -- [options]

Measures two nodes on a Redis against the naive composition (aedes, mqemitter-redis, aedes-persistence-redis) in turn in
one run, round by round: CPU time per message of all processes together, nodes and Redis, and the ratio. Publishers are
on one node, subscribers on the other. "hop" prints delivery times beside those of one mosquitto instead. All servers
share a core, the load generator has another; Redis keeps everything in memory. About four minutes.

  --scenario LIST   ${NAMES} (default: all)
  --seconds N       measured seconds of a round, after a second to warm up (default 3)
${COMMON_HELP}`;

const OPTIONS = { scenario: { type: 'string' }, seconds: { type: 'string', default: '3' } };

const WARMUP_S = 1;
const SETTLE_MS = 500;

function settingsOf(values) {
  const wanted = values.scenario?.split(',') ?? SCENARIOS.map(({ name }) => name);
  const scenarios = wanted.map((name) => SCENARIOS.find((known) => known.name === name));
  if (scenarios.includes(undefined)) throw new UsageError(`--scenario: one of ${NAMES}`);
  return { scenarios, seconds: wholeNumber('seconds', values.seconds, 1) };
}

/** Starts what a scenario compares: Skein first. */
async function startAll({ nodes, isTimed }, { settings, tools }) {
  const { cores, build } = settings;
  const { group, directory } = tools;
  const options = { nodes, core: cores.broker, build, directory };
  const servers = [];
  for (const kind of ['skein', 'naive']) {
    servers.push(await startCluster(group, { ...options, kind }));
  }
  if (isTimed) servers.push(await startMosquitto(group, options));
  return servers;
}

/** Runs a scenario's load against each server in turn; a map from its name to the results of all rounds. */
async function measure(scenario, servers, { settings, tools }) {
  const { rounds, seconds, cores } = settings;
  const timing = ['--duration', String(seconds), '--warmup', String(WARMUP_S)];
  const results = new Map(servers.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const server of servers) {
      const result = await runMqttload(tools, {
        core: cores.generator,
        server,
        args: [...scenario.args, ...timing],
        seconds: seconds + WARMUP_S,
      });
      results.get(server.name).push(result);
      await delay(SETTLE_MS);
    }
  }
  return results;
}

/** CPU time per message of each process, the last of which is Redis. */
const partsOf = (result, { pids }) =>
  pids.map((_, index) => result[`pid${index}_cpu_us_per_msg`] ?? 0);

const totalOf = (parts) => parts.reduce((sum, part) => sum + part, 0);

function costs(scenario, servers, results) {
  const rounds = new Map();
  const parts = {};
  for (const server of servers) {
    const own = results.get(server.name);
    const figures = own.map((result) => ({ figure: totalOf(partsOf(result, server)), result }));
    rounds.set(server.name, figures);
    parts[server.name] = server.pids.map((_, index) =>
      median(own.map((result) => partsOf(result, server)[index])),
    );
  }
  const result = { ...resultOf({ ...scenario, unit: 'us/message' }, rounds), parts };
  const [head, ...rows] = linesOf(result, [...rounds.keys()]);
  const shares = Object.entries(parts).map(([name, figures]) => {
    const nodes = figures.slice(0, -1).map(short).join(' + ');
    return `  ${name.padEnd(12)} nodes ${nodes}, Redis ${short(figures.at(-1))}`;
  });
  return { result, lines: [head, ...rows, ...shares] };
}

function times({ name, title }, results) {
  const result = { scenario: name, title };
  const lines = [`${name}: ${title} (ms, median)`];
  for (const [server, rounds] of results) {
    const of = (figure) => median(rounds.map((round) => round[figure])) / 1_000;
    const own = { p50Ms: of('e2e_p50_us'), p99Ms: of('e2e_p99_us') };
    const lost = rounds.reduce((sum, round) => sum + round.lost, 0);
    result[server] = { ...own, lost };
    const faults = lost > 0 ? `  lost ${lost}` : '';
    lines.push(`  ${server.padEnd(12)} p50 ${short(own.p50Ms)}  p99 ${short(own.p99Ms)}${faults}`);
  }
  return { result, lines };
}

async function run(settings, tools) {
  for (const scenario of settings.scenarios) {
    const servers = await startAll(scenario, { settings, tools });
    const results = await measure(scenario, servers, { settings, tools });
    await Promise.all(servers.map((server) => server.stop()));
    const told = scenario.isTimed ? times(scenario, results) : costs(scenario, servers, results);
    console.log(settings.json ? JSON.stringify(told.result) : `${told.lines.join('\n')}\n`);
  }
  if (!settings.json)
    console.log(`load of the machine afterwards: ${loadavg().map(short).join(' ')}`);
}

await runCommand({ help: HELP, options: OPTIONS, settingsOf, run });
