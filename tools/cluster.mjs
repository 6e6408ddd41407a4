// Three broker nodes, the admin API, Redis and a real Kafka on this machine; see --help.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, loadConfig } from '#libs/config';
import { buildIfStale } from './build.mjs';
import { clusterSettings, sampleBridge, wishesOf } from './cluster-settings.mjs';
import { curlKey, mosquittoLogin, userToMake, variablesNeeded } from './credentials.mjs';
import { ensurePrograms } from './debian-packages.mjs';
import { startPrometheus } from './observe.mjs';
import { listening } from './ports.mjs';
import { ProcessGroup, onStopSignal } from './process-group.mjs';
import { step } from './progress.mjs';
import { awaitReady } from './readiness.mjs';
import { createTopics, openKafka, startRedis } from './services.mjs';

const HELP = `usage: npm run cluster [-- [--config FILE] [--no-kafka] [--observe] | --help]

Starts three broker nodes, the admin API, a Redis and a Kafka on this machine, without containers, and stops them on
Ctrl-C. Kafka comes as jars through Maven (Java 17), or is the one of KAFKA_BROKERS. All data is in a directory that is
removed at the end. Ports are fixed, whatever settings say.

  --config FILE  settings of all nodes and the API, as SKEIN_CONFIG; everybody may connect unless they say who may, and
                 the sample bridge and rules of deploy/dev/cluster.yaml are added unless they have some
  --no-kafka     without Kafka and bridge rules
  --observe      with a Prometheus that scrapes all of them every 5 s and evaluates the alerts of deploy/monitoring
  --help         print this and exit`;

const EXIT_USAGE = 2;
/** With it a node asks for a new process: the lease of its incarnation is lost. */
const EXIT_LEASE_LOST = 75;
const HOST = '127.0.0.1';
const API = { port: 8080, opsPort: 9467 };
const PROMETHEUS_PORT = 9090;
const NODES = [1, 2, 3].map((number) => ({
  id: `node${number}`,
  tcp: 1882 + number,
  ws: 8082 + number,
  ops: 9463 + number,
}));

const root = fileURLToPath(new URL('..', import.meta.url));
const group = new ProcessGroup();
const servers = new ProcessGroup();
const undo = [];

/** Settings of one node; the file, where one is given, brings the bridge rules. */
function nodeEnv(node, shared) {
  return {
    ...shared,
    SKEIN_NODE_ID: node.id,
    SKEIN_LISTENERS_TCP_PORT: String(node.tcp),
    SKEIN_LISTENERS_WS_PORT: String(node.ws),
    SKEIN_OPS_PORT: String(node.ops),
  };
}

function startApp(app, name, env) {
  const main = `dist/apps/${app}/src/main.js`;
  const output = (line) => console.log(`${name} | ${line}`);
  const again = {
    code: EXIT_LEASE_LOST,
    told: () => console.log(`${name} has lost its lease and ended; it is started again`),
  };
  const options = { cwd: root, env, output, again };
  return group.start(process.execPath, ['--enable-source-maps', main], options);
}

async function takenPorts(observed) {
  const wanted = [API.port, API.opsPort, ...NODES.flatMap(({ tcp, ws, ops }) => [tcp, ws, ops])];
  if (observed) wanted.push(PROMETHEUS_PORT);
  const taken = await Promise.all(wanted.map((port) => listening(port)));
  return wanted.filter((_, index) => taken[index]);
}

/** Starts a Prometheus that scrapes all that was started; returns its URL. */
function observe(directory) {
  const nodes = NODES.map(({ id, ops }) => ({ pod: id, port: ops }));
  const apis = [{ pod: 'api', port: API.opsPort }];
  const where = { port: PROMETHEUS_PORT, nodes, apis, namespace: 'local' };
  return step('starting Prometheus', () => startPrometheus(servers, directory, where));
}

/** What has to be done before the other lines work. */
function firstOf(config) {
  const line = userToMake(config, `http://${HOST}:${API.port}`);
  return line === undefined ? '' : `\n  make a user first:       ${line}`;
}

const summary = ({ kafka, prometheus, config }) => `
Skein runs as a cluster of ${NODES.length} nodes
${NODES.map(({ id, tcp, ws, ops }) => `  ${id}      mqtt://${HOST}:${tcp}  ws://${HOST}:${ws}/mqtt  http://${HOST}:${ops}/metrics`).join('\n')}
  Admin API  http://${HOST}:${API.port}/api/v1, Swagger UI http://${HOST}:${API.port}/api/docs${
    kafka === undefined ? '' : `\n  Kafka      ${kafka}`
  }${
    prometheus === undefined
      ? ''
      : `\n  Prometheus ${prometheus}/alerts; dashboards for Grafana are in deploy/monitoring/dashboards`
  }
Try, each in a terminal of its own${variablesNeeded(config)}:${firstOf(config)}
  receive on node 3:       mosquitto_sub -p ${NODES[2].tcp}${mosquittoLogin(config)} -V 5 -t 'devices/+/telemetry' -q 1 -v
  publish on node 1:       mosquitto_pub -p ${NODES[0].tcp}${mosquittoLogin(config)} -i d1 -t devices/d1/telemetry -q 1 -m '{"t":21}'${
    kafka === undefined
      ? ''
      : `
  read it from Kafka:      kcat -b ${kafka} -C -t telemetry -o beginning -e -q -f 'key=%k headers=%h value=%s\\n'
  a device on node 2:      mosquitto_sub -p ${NODES[1].tcp}${mosquittoLogin(config)} -t devices/d1/commands -q 1 -v
  command it from Kafka:   echo 'd1:reboot' | kcat -b ${kafka} -P -t commands -K :`
  }
  who is there:            curl -s http://${HOST}:${API.port}/api/v1/nodes${curlKey(config)}
Ctrl-C drains and stops everything.
`;

async function main({ withKafka, observed, config }) {
  const { asked, env } = clusterSettings({ config, env: process.env });
  const taken = await takenPorts(observed);
  if (taken.length > 0) {
    console.error(`port ${taken.join(', ')}: already in use; stop what listens there`);
    return EXIT_USAGE;
  }
  await ensurePrograms({ 'redis-server': 'redis-server' });
  await buildIfStale();
  const directory = mkdtempSync(join(tmpdir(), 'skein-cluster-'));
  undo.push(() => rmSync(directory, { recursive: true, force: true }));
  const url = await step('starting Redis', () => startRedis(servers, join(directory, 'redis')));
  undo.push(() => servers.stop());
  const shared = { ...env, SKEIN_REDIS_URL: url, SKEIN_NODE_CLUSTER_NAME: 'local' };
  let brokers;
  if (withKafka) {
    brokers = await openKafka({ undo, containers: false });
    await createTopics(brokers, ['telemetry', 'commands']);
    const sample = join(root, 'deploy/dev/cluster.yaml');
    Object.assign(shared, sampleBridge({ asked, brokers, sample }));
  }
  const apps = NODES.map((node) => startApp('broker', node.id, nodeEnv(node, shared)));
  const apiEnv = { SKEIN_API_PORT: String(API.port), SKEIN_API_OPS_PORT: String(API.opsPort) };
  apps.push(startApp('api', 'api  ', { ...shared, ...apiEnv }));
  const failed = Promise.race(apps.map(({ ended }) => ended));
  const all = await step('starting nodes', () =>
    Promise.all([
      ...NODES.map(({ id, ops }) => awaitReady(id, { host: HOST, port: ops }, failed)),
      awaitReady('the API', { host: HOST, port: API.opsPort }, failed),
    ]),
  );
  if (!all.every(Boolean)) return Number(await failed) || 1;
  const prometheus = observed ? await observe(join(directory, 'prometheus')) : undefined;
  console.log(summary({ kafka: brokers, prometheus, config: loadConfig({ env: shared }) }));
  // A node that is killed on purpose is part of trying a cluster; the others go on.
  await Promise.all(apps.map(({ ended }) => ended));
  return 0;
}

async function stopAll() {
  await group.stop();
  for (const close of undo.splice(0).reverse()) await close();
}

const wishes = wishesOf(process.argv.slice(2));
if (wishes.fault !== undefined) {
  console.error(wishes.fault);
  process.exit(EXIT_USAGE);
}
if (wishes.help) {
  console.log(HELP);
  process.exit(0);
}
let asked = false;
onStopSignal(
  async () => {
    asked = true;
    console.log('\nstopping; Ctrl-C again ends the nodes at once');
    await stopAll();
    process.exit(0);
  },
  () => group.kill(),
);
const code = await main(wishes).catch((error) => {
  console.error(error.message);
  return error instanceof ConfigError ? EXIT_USAGE : 1;
});
await stopAll();
if (!asked) process.exitCode = code;
