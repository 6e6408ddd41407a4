// CPU per message and memory per connection of Skein and its peers, side by side; see --help.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { COMMON_HELP, UsageError, runCommand, wholeNumber } from './command.mjs';
import { runMqttload } from './mqttload.mjs';
import { linesOf, resultOf } from './report.mjs';
import { SCENARIOS, scenariosOf } from './scenarios.mjs';
import { PEERS, startServer } from './servers.mjs';

const NAMES = SCENARIOS.map(({ name }) => name).filter((name) => !name.endsWith('-v5'));

const HELP = `usage: npm run bench -- [options]

Measures Skein and its peers in turn in one run, round by round, and prints the median of each scenario: CPU time of
the broker per message (per delivery, where anything is delivered), and its ratio to mosquitto's. The broker has one core
for itself, the load generator another. Everything that was started is stopped at the end.

  --scenario LIST   ${NAMES.join(', ')};
                    S1c-v5 ... S5-v5 compare MQTT 5 with 3.1.1, v5 is all of these (default: all)
  --against LIST    ${PEERS.join(', ')}, or the directory of another build of Skein (default: ${PEERS.join(',')});
                    the ratio is to the first
  --seconds N       measured seconds of a round, after --warmup (default 8)
  --warmup N        seconds (default 2)
${COMMON_HELP}`;

const OPTIONS = {
  scenario: { type: 'string' },
  against: { type: 'string', default: PEERS.join(',') },
  seconds: { type: 'string', default: '8' },
  warmup: { type: 'string', default: '2' },
};

/** Lets a server see the last clients off before the next run. */
const SETTLE_MS = 500;

const CPU = ({ pid0_cpu_us_per_msg: figure }) => figure;
const FIGURES = {
  'us/message': CPU,
  'us/connection': CPU,
  'bytes/connection': ({ pid0_bytes_per_conn: figure }) => figure,
};

function settingsOf(values) {
  const scenarios = values.scenario === undefined ? SCENARIOS : scenariosOf(values.scenario);
  if (scenarios.includes(undefined)) throw new UsageError(`--scenario: one of ${NAMES.join(', ')}`);
  const peers = values.against
    .split(',')
    .map((peer) => (PEERS.includes(peer) ? peer : resolve(peer)));
  for (const peer of peers) {
    const isBuild = existsSync(join(peer, 'apps/broker/src/main.js'));
    if (!PEERS.includes(peer) && !isBuild) throw new UsageError(`--against: no build in ${peer}`);
  }
  return {
    scenarios,
    peers,
    seconds: wholeNumber('seconds', values.seconds, 1),
    warmup: wholeNumber('warmup', values.warmup, 0),
  };
}

/** What one round of a scenario consists of. */
function runsOf(scenario, peers) {
  if (scenario.runs !== undefined) return scenario.runs;
  return ['skein', ...peers].map((server) => ({ label: server, server, args: scenario.args }));
}

/** Measures one scenario: each round runs each contender once. */
async function measure(scenario, settings, tools) {
  const { rounds, seconds, warmup, cores, build } = settings;
  const runs = runsOf(scenario, settings.peers);
  const results = new Map(runs.map(({ label }) => [label, []]));
  const timing = ['--duration', String(seconds), '--warmup', String(warmup)];
  const servers = new Map();
  const serverOf = async (name) => {
    if (!servers.has(name)) {
      const options = { core: cores.broker, directory: tools.directory, build };
      servers.set(name, await startServer(tools.group, name, options));
    }
    return servers.get(name);
  };
  const stop = async () => {
    await Promise.all([...servers.values()].map((server) => server.stop()));
    servers.clear();
  };
  for (let round = 0; round < rounds; round += 1) {
    for (const { label, server: name, args } of runs) {
      const server = await serverOf(name);
      const result = await runMqttload(tools, {
        core: cores.generator,
        server,
        args: args[0] === 'pubsub' ? [...args, ...timing] : args,
        seconds: seconds + warmup,
      });
      results.get(label).push({ figure: FIGURES[scenario.unit](result), result });
      if (scenario.isFresh) await stop();
      else await delay(SETTLE_MS);
    }
  }
  await stop();
  return resultOf(scenario, results);
}

async function run(settings, tools) {
  for (const scenario of settings.scenarios) {
    const result = await measure(scenario, settings, tools);
    const labels = runsOf(scenario, settings.peers).map(({ label }) => label);
    console.log(settings.json ? JSON.stringify(result) : `${linesOf(result, labels).join('\n')}\n`);
  }
}

await runCommand({ help: HELP, options: OPTIONS, settingsOf, run });
