// How much one client that misbehaves costs the others; see --help.
import { readFileSync } from 'node:fs';
import { until } from '../tools/ports.mjs';
import { COMMON_HELP, UsageError, runCommand, wholeNumber } from './command.mjs';
import { Feed, Receiver } from './isolation-clients.mjs';
import { runMqttload } from './mqttload.mjs';
import { median, short } from './report.mjs';
import { startSkein } from './servers.mjs';

const CASES = [
  { name: 'frozen', title: 'a receiver that reads nothing' },
  { name: 'slow', title: 'a receiver that reads 1 KB/s' },
  { name: 'silent', title: 'a receiver that acknowledges nothing' },
  { name: 'flood', title: 'a publisher at full speed' },
];
const NAMES = CASES.map(({ name }) => name).join(', ');

const HELP = `usage: npm run bench:isolation -- [options]

Measures what one client that misbehaves costs the others: ten pairs exchange 2,000 messages of QoS 1 a second, first
beside a client that behaves, then beside one that reads nothing, reads 1 KB a second, acknowledges nothing, or publishes
as fast as its socket takes it. Prints the 50th and 99th percentile of the others' delivery time, how much the node has
grown, what it has counted, and what the client has received once it behaves again.

  --case LIST       ${NAMES} (default: all)
  --seconds N       measured seconds of a round (default 6)
${COMMON_HELP}`;

const OPTIONS = { case: { type: 'string' }, seconds: { type: 'string', default: '6' } };

/** Bounds small enough to be met within seconds. */
const QUEUE_MESSAGES_MAX = 1_000;
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
const SOCKET_BUFFER_BYTES_MAX = 256 * 1024;
const LIMITS = {
  SKEIN_LIMITS_QUEUE_MESSAGES_MAX: String(QUEUE_MESSAGES_MAX),
  SKEIN_LIMITS_QUEUE_BYTES_MAX: String(QUEUE_BYTES_MAX),
  SKEIN_LIMITS_SOCKET_BUFFER_BYTES_MAX: String(SOCKET_BUFFER_BYTES_MAX),
};

/** What the receiver is fed: more in a round than the kernel, the socket's bound and the queue's can hold. */
const FEED = { perSecond: 500, payloadBytes: 4_096 };
const WARMUP_S = 1;
const OTHERS = ['pubsub', '-p', '10', '-s', '10', '-q', '1', '--rate', '2000', '--drain', '20'];
const FLOOD = ['pubsub', '-p', '1', '-s', '0', '-q', '0', '--topic', 'flood/all', '--drain', '5'];
const CATCH_UP_DEADLINE_MS = 60_000;
const SAMPLE_MS = 50;

const COUNTED = {
  'dropped{queue_full}': /^skein_broker_deliveries_dropped_total\{[^}]*reason="queue_full"/u,
  'backpressure s': /^skein_broker_socket_backpressure_seconds_total/u,
  'held{share}': /^skein_broker_reading_held_total\{[^}]*reason="share"/u,
};

/** What the node has counted so far. */
async function countsOf(server) {
  const url = `http://127.0.0.1:${server.ports.ops}/metrics`;
  const lines = (await (await fetch(url)).text()).split('\n');
  const sum = (pattern) =>
    lines
      .filter((line) => pattern.test(line))
      .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0);
  return Object.fromEntries(Object.entries(COUNTED).map(([name, pattern]) => [name, sum(pattern)]));
}

const residentBytes = ({ pid }) => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/mu.exec(status)?.[1] ?? 0) * 1024;
};

/** Runs the others and watches the node's memory meanwhile. */
async function runOthers(server, { settings, tools }) {
  let most = 0;
  const timer = setInterval(() => {
    most = Math.max(most, residentBytes(server));
  }, SAMPLE_MS);
  const seconds = settings.seconds;
  const timing = ['--duration', String(seconds), '--warmup', String(WARMUP_S)];
  const args = [...OTHERS, ...timing];
  const result = await runMqttload(tools, {
    core: settings.cores.generator,
    server,
    args,
    seconds: seconds + WARMUP_S,
  });
  clearInterval(timer);
  const { e2e_p50_us: p50, e2e_p99_us: p99, lost } = result;
  return { p50, p99, lost, residentBytes: most };
}

/** A receiver and its feed: first it behaves, then not, then again. */
async function receiverBench(server, name) {
  const receiver = await Receiver.open(server.ports.mqtt);
  const feed = await Feed.open(server.ports.mqtt);
  feed.start(FEED);
  return {
    begin: () => receiver.behave(name),
    /** Resolves when it has everything that was not dropped since the feed began. */
    end: async (dropped) => {
      receiver.behave('normal');
      feed.stop();
      const [live, queued] = [...receiver.accounts.values()];
      await until(
        'the receiver catches up',
        async () => {
          const total = live.received + queued.received + (await dropped());
          return total >= feed.sent[0] + feed.sent[1];
        },
        { deadlineMs: CATCH_UP_DEADLINE_MS },
      );
      feed.start(FEED);
      return { received: queued.received, sent: feed.sent[1], disordered: queued.disordered };
    },
    close: () => {
      feed.close();
      receiver.close();
    },
  };
}

/** A publisher that floods. It gives way to the others on the core of the generator. */
function floodBench(server, { settings, tools }) {
  let flood;
  const seconds = settings.seconds + WARMUP_S + 1;
  return {
    begin: () => {
      const args = [...FLOOD, '--duration', String(seconds), '--warmup', '0'];
      const core = settings.cores.generator;
      flood = runMqttload(tools, { core, server, args, seconds, nice: 19 });
      flood.catch(() => undefined);
    },
    end: async () => ({ sent: (await flood).sent }),
    close: () => undefined,
  };
}

async function measure({ name, title }, context) {
  const { settings, tools } = context;
  const { build, cores } = settings;
  const server = await startSkein(tools.group, { core: cores.broker, build, env: LIMITS });
  const bench = name === 'flood' ? floodBench(server, context) : await receiverBench(server, name);
  await runOthers(server, context);
  const rounds = [];
  const before = await countsOf(server);
  let client;
  for (let round = 0; round < settings.rounds; round += 1) {
    const beside = await runOthers(server, context);
    bench.begin();
    const against = await runOthers(server, context);
    const full = 'dropped{queue_full}';
    client = await bench.end(async () => (await countsOf(server))[full]);
    rounds.push({ beside, against });
  }
  const after = await countsOf(server);
  bench.close();
  await server.stop();
  const counted = Object.entries(after).map(([key, count]) => [key, count - before[key]]);
  return summaryOf({ name, title, rounds, client, counted: Object.fromEntries(counted) });
}

function summaryOf({ name, title, rounds, client, counted }) {
  const of = (when, figure) => median(rounds.map((round) => round[when][figure]));
  const worst = (when) => Math.max(...rounds.map((round) => round[when].residentBytes));
  return {
    case: name,
    title,
    rounds: rounds.length,
    p50Us: { without: of('beside', 'p50'), with: of('against', 'p50') },
    p99Us: { without: of('beside', 'p99'), with: of('against', 'p99') },
    factor: Number((of('against', 'p99') / of('beside', 'p99')).toFixed(2)),
    othersLost: rounds.reduce((sum, { beside, against }) => sum + beside.lost + against.lost, 0),
    grewBytes: worst('against') - worst('beside'),
    counted,
    client,
  };
}

const MEBIBYTE = 1024 * 1024;

function linesOf({ title, p50Us, p99Us, factor, othersLost, grewBytes, counted, client }) {
  const ms = (us) => `${short(us / 1_000)} ms`;
  const counts = Object.entries(counted)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${short(count)}`);
  const told = Object.entries(client).map(([key, value]) => `${key} ${short(value)}`);
  return [
    title,
    `  others    p50 ${ms(p50Us.without)} -> ${ms(p50Us.with)}, p99 ${ms(p99Us.without)} -> ${ms(p99Us.with)}: x ${factor}, lost ${othersLost}`,
    `  memory    grew by ${short(grewBytes / MEBIBYTE)} MiB; bounds of the client: ${(QUEUE_BYTES_MAX + SOCKET_BUFFER_BYTES_MAX) / MEBIBYTE} MiB`,
    `  counted   ${counts.join(', ') || 'nothing'}`,
    `  client    ${told.join(', ')}`,
    '',
  ];
}

async function run(settings, tools) {
  for (const misbehaviour of settings.cases) {
    const result = await measure(misbehaviour, { settings, tools });
    console.log(settings.json ? JSON.stringify(result) : linesOf(result).join('\n'));
  }
}

function settingsOf(values) {
  const wanted = values.case?.split(',') ?? CASES.map(({ name }) => name);
  const cases = wanted.map((name) => CASES.find((known) => known.name === name));
  if (cases.includes(undefined)) throw new UsageError(`--case: one of ${NAMES}`);
  return { cases, seconds: wholeNumber('seconds', values.seconds, 1) };
}

await runCommand({ help: HELP, options: OPTIONS, settingsOf, run });
