// What a message costs that goes on to Kafka, and when its publisher is told; see --help.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createTopics, openKafka, recordsIn } from '../tools/services.mjs';
import { COMMON_HELP, UsageError, runCommand, wholeNumber } from './command.mjs';
import { runMqttload } from './mqttload.mjs';
import { median, short } from './report.mjs';
import { startSkein } from './servers.mjs';

/** Ways to acknowledge; `without` is a node that has no rule, for what the rest of a message costs. */
const ACKS = ['without', 'none', 'spool', 'kafka'];
const RATES = [0, 2_000, 5_000];
const topicOf = (ack) => `bench-${ack}`;

const HELP = `usage: npm run bench:bridge -- [options]

Publishes messages of QoS 1 with 256 bytes from 50 clients to a node that sends all of them to a Kafka topic of three
partitions, acks=all; for each way to acknowledge and each rate: CPU time of the node per message, and the time from
PUBLISH to PUBACK; at the end, what of all that was sent is in Kafka. Rate 0 is as fast as 20 unacknowledged messages per client allow. The node has one core for itself;
the load generator and Kafka, which is started for it, share the other.

  --ack LIST        ${ACKS.join(', ')} (default: all)
  --rate LIST       messages per second (default: ${RATES.join()})
  --seconds N       measured seconds of a round, after two to warm up (default 5)
${COMMON_HELP}`;

const OPTIONS = {
  ack: { type: 'string', default: ACKS.join() },
  rate: { type: 'string', default: RATES.join() },
  seconds: { type: 'string', default: '5' },
};

const WARMUP_S = 2;
const SETTLE_MS = 500;
const LOAD = ['pubsub', '-p', '50', '-s', '0', '-q', '1', '--size', '256', '--window', '20'];

function settingsOf(values) {
  const acks = values.ack.split(',');
  if (!acks.every((ack) => ACKS.includes(ack))) throw new UsageError(`--ack: ${ACKS.join(', ')}`);
  return {
    acks,
    rates: values.rate.split(',').map((rate) => wholeNumber('rate', rate, 0)),
    seconds: wholeNumber('seconds', values.seconds, 1),
  };
}

/** The environment of a node whose rule sends everything to Kafka. */
function bridgeTo(brokers, ack, directory) {
  if (ack === 'without') return {};
  const bridge = { id: 'main', kind: 'kafka', brokers: brokers.split(',') };
  const rule = {
    id: 'all',
    bridge: 'main',
    direction: 'mqtt-to-kafka',
    filter: '#',
    topic: topicOf(ack),
    ack,
  };
  return {
    SKEIN_BRIDGES: JSON.stringify([bridge]),
    SKEIN_BRIDGE_RULES: JSON.stringify([rule]),
    ...(ack === 'spool' ? { SKEIN_BRIDGE_SPOOL_DIR: join(directory, 'spool') } : {}),
  };
}

async function startNodes({ acks, cores, build }, { group, directory }, brokers) {
  const nodes = [];
  for (const ack of acks) {
    const env = bridgeTo(brokers, ack, directory);
    nodes.push({
      ack,
      server: await startSkein(group, { name: ack, core: cores.broker, build, env }),
    });
  }
  return nodes;
}

async function measure(nodes, rate, { settings, tools }) {
  const { rounds, seconds, cores } = settings;
  const timing = [
    '--rate',
    String(rate),
    '--duration',
    String(seconds),
    '--warmup',
    String(WARMUP_S),
  ];
  const results = new Map(nodes.map(({ ack }) => [ack, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const { ack, server } of nodes) {
      const result = await runMqttload(tools, {
        core: cores.generator,
        server,
        args: [...LOAD, ...timing],
        seconds: seconds + WARMUP_S,
      });
      results.get(ack).push(result);
      await delay(SETTLE_MS);
    }
  }
  return results;
}

function tell(rate, results, isJson) {
  if (!isJson)
    console.log(rate === 0 ? 'as fast as it goes' : `${short(rate)} messages per second`);
  for (const [ack, rounds] of results) {
    const of = (figure) => median(rounds.map((round) => round[figure]));
    const result = {
      ack,
      rate,
      cpuUs: of('pid0_cpu_us_per_msg'),
      perSecond: Math.round(of('sent_per_s')),
      ackP50Ms: of('ack_p50_us') / 1_000,
      ackP99Ms: of('ack_p99_us') / 1_000,
    };
    if (isJson) console.log(JSON.stringify(result));
    else {
      const { cpuUs, perSecond, ackP50Ms, ackP99Ms } = result;
      const times = `PUBACK p50 ${short(ackP50Ms)} ms, p99 ${short(ackP99Ms)} ms`;
      const cpu = `${short(cpuUs)} us/message`.padStart(18);
      console.log(`  ${ack.padEnd(8)} ${cpu}  ${short(perSecond).padStart(8)}/s  ${times}`);
    }
  }
}

/** What of all messages sent each topic has, once the nodes have stopped: \`none\` is the only one that may lack some. */
async function tellKept(acks, sent, { brokers, isJson }) {
  for (const ack of acks) {
    const [own, inKafka] = [sent.get(ack), await recordsIn(brokers, topicOf(ack))];
    const line = `${ack.padEnd(8)} sent ${short(own)}, in Kafka ${short(inKafka)}`;
    console.log(isJson ? JSON.stringify({ ack, sent: own, inKafka }) : line);
  }
}

async function run(settings, tools) {
  // Kafka is this process's child: it gets the core of the generator, too.
  spawnSync('taskset', ['-cp', String(settings.cores.generator), String(process.pid)]);
  const undo = [];
  try {
    const brokers = await openKafka({ undo, containers: false });
    const bridged = settings.acks.filter((ack) => ack !== 'without');
    await createTopics(brokers, bridged.map(topicOf));
    const nodes = await startNodes(settings, tools, brokers);
    const sent = new Map();
    for (const rate of settings.rates) {
      const results = await measure(nodes, rate, { settings, tools });
      tell(rate, results, settings.json);
      for (const [ack, rounds] of results) {
        const own = rounds.reduce((sum, round) => sum + round.sent, 0);
        sent.set(ack, (sent.get(ack) ?? 0) + own);
      }
    }
    await Promise.all(nodes.map(({ server }) => server.stop()));
    await tellKept(bridged, sent, { brokers, isJson: settings.json });
  } finally {
    for (const each of undo.toReversed()) each();
  }
}

await runCommand({ help: HELP, options: OPTIONS, settingsOf, run });
