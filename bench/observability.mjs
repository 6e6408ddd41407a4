// What metrics and traces cost a node, and how long a scrape holds it up; see --help.
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { COMMON_HELP, UsageError, runCommand, wholeNumber } from './command.mjs';
import { runMqttload } from './mqttload.mjs';
import { median, short } from './report.mjs';
import { startSkein } from './servers.mjs';
import { until } from '../tools/ports.mjs';

const PARTS = ['metrics', 'traces', 'scrape'];

const HELP = `usage: npm run bench:observability -- [options]

metrics   CPU time of a node per message as fast as it goes, with metrics and a scrape every 5 seconds, against the same node
          whose meter counts nothing: its methods are replaced by empty ones before it starts, since there is no setting
          that turns metrics off. What stays in both is the clock, which timers need anyway.
traces    with metrics and 1 of 100 messages traced to a collector on the generator's core, against metrics without traces
scrape    how long a scrape takes, how large it is, and how long the event loop of the node is blocked by it, with
          many idle connections, against as long a time without a scrape

The contenders take turns within every round, each round begins with another, and each has a node of its own on the same core.
The ratio of a round is that of its two figures; printed are its median, least and most, and what the difference makes of a
core at 50,000 messages per second.

  --part LIST       ${PARTS.join(', ')} (default: all)
  --seconds N       measured seconds of a round, after --warmup (default 8)
  --warmup N        seconds (default 2)
  --connections N   open connections of the scrapes (default 10000)
  --scrapes N       scrapes that are measured (default 30)
${COMMON_HELP}`;

const OPTIONS = {
  part: { type: 'string', default: PARTS.join() },
  seconds: { type: 'string', default: '8' },
  warmup: { type: 'string', default: '2' },
  connections: { type: 'string', default: '10000' },
  scrapes: { type: 'string', default: '30' },
};

const BARS = { metrics: 1.03, traces: 1.05, scrapeMs: 20 };
const LOAD = ['pubsub', '--size', '64', '--window', '20'];
const LOADS = [
  { name: 'QoS 0', args: [...LOAD, '-p', '50', '-s', '50', '-q', '0', '--max-lag', '5000'] },
  { name: 'QoS 1', args: [...LOAD, '-p', '50', '-s', '50', '-q', '1'] },
];
const SCRAPE_EVERY_MS = 5_000;
const RATE = 50_000;
const US_PER_SECOND = 1e6;
const SETTLE_MS = 500;
/** Longer than any delay of an event loop here, so that it is noted before it is asked for. */
const NOTED_MS = 200;
const CONNECT_DEADLINE_MS = 600_000;

const preload = (name) => [
  '--import',
  fileURLToPath(new URL(`observability/${name}.mjs`, import.meta.url)),
];

function settingsOf(values) {
  const parts = values.part.split(',');
  if (!parts.every((part) => PARTS.includes(part)))
    throw new UsageError(`--part: ${PARTS.join(', ')}`);
  const numbers = ['seconds', 'connections', 'scrapes'].map((name) => [
    name,
    wholeNumber(name, values[name], 1),
  ]);
  const warmup = wholeNumber('warmup', values.warmup, 0);
  return { parts, ...Object.fromEntries(numbers), warmup };
}

async function scrape({ ports: { ops } }, path = '/metrics') {
  const begunMs = performance.now();
  const response = await fetch(`http://127.0.0.1:${ops}${path}`);
  const { length } = await response.text();
  return { ms: performance.now() - begunMs, bytes: length };
}

/** One round of a contender: CPU time per message. */
async function roundOf({ server, isScraped }, args, { settings, tools }) {
  const { cores, seconds, warmup } = settings;
  const timer = setInterval(() => isScraped && scrape(server).catch(() => {}), SCRAPE_EVERY_MS);
  try {
    const timing = ['--duration', String(seconds), '--warmup', String(warmup)];
    const load = { core: cores.generator, server, args: [...args, ...timing] };
    const result = await runMqttload(tools, { ...load, seconds: seconds + warmup });
    return { us: result.pid0_cpu_us_per_msg, perSecond: result.recv_per_s };
  } finally {
    clearInterval(timer);
    await delay(SETTLE_MS);
  }
}

/** Rounds in which two contenders take turns; a ratio for each. */
async function compare([one, other], args, context) {
  const rounds = [];
  for (let round = 0; round < context.settings.rounds; round += 1) {
    const order = round % 2 === 0 ? [one, other] : [other, one];
    const results = new Map();
    for (const each of order) results.set(each, await roundOf(each, args, context));
    rounds.push([results.get(one), results.get(other)]);
  }
  return rounds;
}

function tellRatio(part, { load, names, rounds }, isJson) {
  const ratios = rounds.map(([one, other]) => one.us / other.us);
  const [ones, others] = [0, 1].map((side) => median(rounds.map((round) => round[side].us)));
  const result = {
    ...{ part, load, rounds: rounds.length },
    us: { [names[0]]: ones, [names[1]]: others },
    perSecond: Math.round(median(rounds.map(([one]) => one.perSecond))),
    ratio: median(ratios),
    least: Math.min(...ratios),
    most: Math.max(...ratios),
    bar: BARS[part],
    /** Of one core, at the rate of the requirements. */
    coreShare: ((ones - others) * RATE) / US_PER_SECOND,
  };
  if (isJson) {
    console.log(JSON.stringify(result));
    return;
  }
  const range = `${result.least.toFixed(3)} to ${result.most.toFixed(3)}`;
  console.log(
    `${part.padEnd(8)} ${load}: ${names[0]} ${short(ones)}, ${names[1]} ${short(others)} us/message at ${short(result.perSecond)}/s; ratio ${result.ratio.toFixed(3)} (${range}), bar ${result.bar}; ${(100 * result.coreShare).toFixed(1)} % of a core at ${short(RATE)}/s`,
  );
}

async function measureMetrics(context) {
  const { settings, tools } = context;
  const options = { core: settings.cores.broker, build: settings.build };
  const server = await startSkein(tools.group, options);
  const silent = await startSkein(tools.group, {
    ...options,
    nodeArgs: preload('silent-meter'),
    env: { BENCH_BUILD: settings.build },
  });
  for (const { name, args } of LOADS) {
    const contenders = [{ server, isScraped: true }, { server: silent }];
    const rounds = await compare(contenders, args, context);
    tellRatio('metrics', { load: name, names: ['with', 'without'], rounds }, settings.json);
  }
  await Promise.all([server.stop(), silent.stop()]);
}

/** A collector that takes everything. */
async function openCollector() {
  let spans = 0;
  const collector = createServer((request, response) => {
    request.on('data', (chunk) => (spans += String(chunk).split('"spanId"').length - 1));
    request.on('end', () =>
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}'),
    );
  });
  await new Promise((resolve) => collector.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${collector.address().port}/v1/traces`;
  return { url, spans: () => spans, close: () => collector.close() };
}

async function measureTraces(context) {
  const { settings, tools } = context;
  const collector = await openCollector();
  const options = { core: settings.cores.broker, build: settings.build };
  const plain = await startSkein(tools.group, options);
  const env = {
    SKEIN_TRACING_ENABLED: 'true',
    SKEIN_TRACING_ENDPOINT: collector.url,
    SKEIN_TRACING_SAMPLE_RATIO: '0.01',
  };
  const traced = await startSkein(tools.group, { ...options, env });
  for (const { name, args } of LOADS) {
    const contenders = [traced, plain].map((server) => ({ server, isScraped: true }));
    const rounds = await compare(contenders, args, context);
    tellRatio('traces', { load: name, names: ['with', 'without'], rounds }, settings.json);
  }
  await Promise.all([traced.stop(), plain.stop()]);
  collector.close();
  if (collector.spans() === 0) throw new Error('traces: no span has come; the ratio says nothing');
}

/** For how long the loop of a node was blocked at most while something was done. */
async function blockedBy(server, act) {
  const ask = async () => {
    const before = server.output.split('loop-watch').length;
    process.kill(server.pid, 'SIGUSR2');
    await until('the node', () => server.output.split('loop-watch').length > before);
    return JSON.parse(server.output.split('loop-watch ').at(-1).split('\n')[0]);
  };
  const before = await ask();
  const done = await act();
  await delay(NOTED_MS);
  const after = await ask();
  return { ...done, blockedMs: after.mostMs, cpuMs: after.cpuMs - before.cpuMs };
}

async function measureScrape({ settings, tools }) {
  const { cores, build, connections, scrapes, json } = settings;
  const server = await startSkein(tools.group, {
    ...{ core: cores.broker, build, nodeArgs: preload('loop-watch') },
    env: { SKEIN_LISTENERS_TCP_CONNECTIONS_MAX: String(connections + 1_000) },
  });
  const target = ['-t', `127.0.0.1:${server.ports.mqtt}`, '--keepalive', '0', '--hold', '3600'];
  const args = ['conn', '-n', String(connections), '--conn-window', '100', ...target];
  const { child, ended } = tools.group.start(
    'taskset',
    [...['-c', String(cores.generator), tools.program, ...args]],
    { output: () => undefined },
  );
  const isOpen = async () => (await openConnections(server)) >= connections;
  await until('all connections', isOpen, { deadlineMs: CONNECT_DEADLINE_MS });
  const rounds = { scraped: [], idle: [] };
  for (let count = 0; count < scrapes; count += 1) {
    const scraped = await blockedBy(server, () => scrape(server));
    rounds.scraped.push(scraped);
    rounds.idle.push(await blockedBy(server, () => delay(scraped.ms)));
  }
  tellScrapes(connections, rounds, json);
  child.kill('SIGTERM');
  await ended;
  await server.stop();
}

async function openConnections({ ports: { ops } }) {
  const text = await (await fetch(`http://127.0.0.1:${ops}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('skein_broker_connections{'));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** Middle and most of a figure of some rounds. */
function spreadOf(rounds, name) {
  const figures = rounds.map((round) => round[name]);
  return { median: median(figures), most: Math.max(...figures) };
}

function tellScrapes(connections, { scraped, idle }, isJson) {
  const result = {
    ...{ part: 'scrape', connections, scrapes: scraped.length, bytes: scraped.at(-1).bytes },
    tookMs: spreadOf(scraped, 'ms'),
    blockedMs: spreadOf(scraped, 'blockedMs'),
    cpuMs: spreadOf(scraped, 'cpuMs'),
    idle: { blockedMs: spreadOf(idle, 'blockedMs'), cpuMs: spreadOf(idle, 'cpuMs') },
    barMs: BARS.scrapeMs,
  };
  if (isJson) {
    console.log(JSON.stringify(result));
    return;
  }
  const told = ({ median: middle, most }) => `${short(middle)} ms (most ${short(most)})`;
  console.log(`scrape   ${short(connections)} connections, ${short(result.bytes)} bytes`);
  console.log(`  took          ${told(result.tookMs)}`);
  console.log(
    `  loop blocked  ${told(result.blockedMs)}, without a scrape ${told(result.idle.blockedMs)}; bar ${result.barMs} ms`,
  );
  console.log(`  CPU time      ${told(result.cpuMs)}, without a scrape ${told(result.idle.cpuMs)}`);
}

const MEASURE = { metrics: measureMetrics, traces: measureTraces, scrape: measureScrape };

async function run(settings, tools) {
  for (const part of settings.parts) await MEASURE[part]({ settings, tools });
}

await runCommand({ help: HELP, options: OPTIONS, settingsOf, run });
