// One embedded node and the admin API in the foreground; see --help.
import { fileURLToPath } from 'node:url';
import {
  ConfigError,
  FLAGS_HELP,
  hasRedis,
  loadConfig,
  packageVersion,
  parseFlags,
  printConfig,
} from '#libs/config';
import { buildIfStale } from './build.mjs';
import { curlKey, mosquittoLogin, userToMake, variablesNeeded } from './credentials.mjs';
import { listening } from './ports.mjs';
import { ProcessGroup, onStopSignal } from './process-group.mjs';
import { authority, awaitReady, reachable } from './readiness.mjs';

const HELP = `usage: npm start [-- flags]

Starts one broker node and the admin API and prints what listens where. Builds first when needed.
Without --data or a Redis everything is kept in memory. Ctrl-C drains and ends; a second Ctrl-C ends at once.

${FLAGS_HELP}

Every setting, as a key of the file and as a SKEIN_* variable: docs/configuration.md.
Exit code 2: a flag or a setting is wrong, or a port is taken.`;

const EXIT_USAGE = 2;
const APPS = ['broker', 'api'];
const root = fileURLToPath(new URL('..', import.meta.url));
const argv = process.argv.slice(2);

/** Answers the flags that ask a question; else returns the configuration that the apps will read themselves. */
function configure() {
  const flags = parseFlags(argv);
  if (flags.help) return console.log(HELP);
  if (flags.version) return console.log(packageVersion());
  const config = loadConfig({ env: process.env, argv });
  return flags.printConfig ? console.log(printConfig(config).trimEnd()) : config;
}

function durability({ redis, data }) {
  if (hasRedis(redis)) return 'State: in Redis; it lasts as long as Redis keeps it.';
  if (data.dir !== undefined)
    return `State: sessions, retained messages and rules last in ${data.dir}.`;
  return [
    'Not durable: sessions, queued and retained messages and rules are in memory and end with this process.',
    '             Keep them with: npm start -- --data ./data',
  ].join('\n');
}

function summary(config) {
  const { listeners, ops, api } = config;
  const at = { api: `http://${authority(api)}`, ops: `http://${authority(ops)}` };
  const apiOps = `http://${authority({ host: ops.host, port: api.opsPort })}`;
  const { host, port } = listeners.tcp;
  const address = `${host === '127.0.0.1' ? '' : `-h ${host} `}-p ${port}${mosquittoLogin(config)}`;
  const lines = [
    listeners.tcp.enabled && `  MQTT                 mqtt://${authority(listeners.tcp)}`,
    listeners.ws.enabled &&
      `  MQTT over WebSocket  ws://${authority(listeners.ws)}${listeners.ws.path}`,
    listeners.tls.enabled && `  MQTT over TLS        mqtts://${authority(listeners.tls)}`,
    listeners.wss.enabled &&
      `  WebSocket over TLS   wss://${authority(listeners.wss)}${listeners.wss.path}`,
    `  Admin API            ${at.api}/api/v1, Swagger UI ${at.api}/api/docs`,
    `  Metrics and health   ${at.ops}/metrics, /healthz/ready; of the API ${apiOps}/metrics`,
  ];
  const user = listeners.tcp.enabled && userToMake(config, at.api);
  const example = [
    user && `  ${user}`,
    listeners.tcp.enabled && `  mosquitto_sub ${address} -t 'demo/#' -q 1 -v`,
    listeners.tcp.enabled && `  mosquitto_pub ${address} -t demo/hello -q 1 -m 'hello, flock'`,
    `  curl -s ${at.api}/api/v1/status${curlKey(config)}`,
  ];
  const text = (list) => list.filter(Boolean).join('\n');
  return `\nSkein ${config.node.version} is ready\n${text(lines)}\n${durability(config)}\nTry, each in a terminal of its own${variablesNeeded(config)}:\n${text(example)}\nCtrl-C drains and ends.\n`;
}

/** Faults of ports that somebody has: found here, another Skein is not taken for the one that is being started. */
async function takenPorts({ listeners, ops, api, commands, redis }) {
  const wanted = [
    ...Object.entries(listeners).map(([name, each]) => ({
      field: `listeners.${name}.port`,
      ...each,
    })),
    { field: 'ops.port', ...ops },
    { field: 'api.port', ...api },
    { field: 'api.opsPort', host: ops.host, port: api.opsPort },
    { field: 'commands.port', ...commands, enabled: !hasRedis(redis) },
  ].filter(({ enabled = true, port }) => enabled && port !== 0);
  const taken = await Promise.all(wanted.map(({ port, host }) => listening(port, reachable(host))));
  return wanted
    .filter((_, index) => taken[index])
    .map(({ field, host, port }) => ({
      field,
      problem: `${authority({ host, port })} is in use`,
      fix: 'choose another port or stop the program that has it',
    }));
}

async function main(config) {
  const taken = await takenPorts(config);
  if (taken.length > 0) throw new ConfigError(taken);
  await buildIfStale();
  const group = new ProcessGroup();
  let stopping = false;
  onStopSignal(
    () => {
      stopping = true;
      console.log('\ndraining; Ctrl-C again ends at once');
      void group.stop();
    },
    () => group.kill(),
  );
  const apps = APPS.map((app) =>
    group.start(
      process.execPath,
      ['--enable-source-maps', `dist/apps/${app}/src/main.js`, ...argv],
      {
        cwd: root,
      },
    ),
  );
  const ended = Promise.race(apps.map((app) => app.ended));
  const { ops, api } = config;
  const ready = Promise.all([
    awaitReady('the broker', ops, ended),
    awaitReady('the API', { host: ops.host, port: api.opsPort }, ended),
  ]);
  void ready.then((all) => all.every(Boolean) && !stopping && console.log(summary(config)));
  const code = await ended;
  const asked = stopping;
  await group.stop();
  if (asked) return 0;
  return Number.isInteger(code) && code !== 0 ? code : 1;
}

try {
  const config = configure();
  if (config !== undefined) process.exitCode = await main(config);
} catch (error) {
  console.error(error.message);
  process.exitCode = error instanceof ConfigError ? EXIT_USAGE : 1;
}
