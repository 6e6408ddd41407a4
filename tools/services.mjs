// The servers that tests and the local cluster need, from wherever they can be had.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Kafka } from 'kafkajs';
import { KAFKA_PROGRAMS, ensurePrograms } from './debian-packages.mjs';
import { freePort, isFree, listening, until } from './ports.mjs';
import { step } from './progress.mjs';

const REDIS_IMAGE = 'redis:7.4-alpine';
const KAFKA_IMAGE = 'apache/kafka:4.1.0';
const KAFKA_SCRIPT = fileURLToPath(new URL('../deploy/dev/kafka/kafka.sh', import.meta.url));

/** Starts a Redis that writes every change to a file in `directory`; returns its URL. */
export async function startRedis(group, directory) {
  const port = await freePort();
  mkdirSync(directory, { recursive: true });
  const persistence = ['--save', '', '--appendonly', 'yes', '--dir', directory];
  const quiet = ['--daemonize', 'no', '--loglevel', 'warning'];
  const args = ['--bind', '127.0.0.1', '--port', String(port), ...persistence, ...quiet];
  group.start('redis-server', args, { output: () => {} });
  await until('Redis', () => listening(port), { deadlineMs: 20_000 });
  return `redis://127.0.0.1:${port}`;
}

/**
 * Brings up a Redis for tests that do no more than use one: that of REDIS_URL, else an image if a Docker daemon answers.
 * Returns its URL; undefined where these tests, too, start a redis-server.
 */
export async function openRedis({ undo }) {
  if (process.env.REDIS_URL) return process.env.REDIS_URL;
  return fromImage(REDIS_IMAGE, async () => {
    const port = await freePort();
    container(undo, ['--publish', `127.0.0.1:${port}:6379`, REDIS_IMAGE]);
    const ping = ['-p', String(port), 'ping'];
    await until('Redis', () => spawnSync('redis-cli', ping).stdout?.toString() === 'PONG\n');
    return `redis://127.0.0.1:${port}`;
  });
}

/**
 * Brings up a Kafka: the one of KAFKA_BROKERS, else an image if a Docker daemon answers, else jars on this machine.
 * Returns its brokers; what stops it is in `undo` before it is started, so that a stop meanwhile leaves nothing.
 */
export async function openKafka({ undo, containers = true }) {
  if (process.env.KAFKA_BROKERS) return process.env.KAFKA_BROKERS;
  const brokers = containers && (await fromImage(KAFKA_IMAGE, () => kafkaImage(undo)));
  if (brokers) return brokers;
  await ensurePrograms(KAFKA_PROGRAMS);
  return step('starting Kafka', () => kafkaJars(undo));
}

/** What `start` returns; undefined if no Docker daemon answers or the image cannot be started. */
async function fromImage(image, start) {
  const { status } = spawnSync('docker', ['info'], { timeout: 5_000, stdio: 'ignore' });
  if (status !== 0) return undefined;
  try {
    return await step(`starting ${image}`, start);
  } catch (error) {
    console.log(`${image}: ${error.message}; going on without it`);
    return undefined;
  }
}

/** Starts a container, which `undo` removes. */
function container(undo, args) {
  const { status, stdout } = spawnSync('docker', ['run', '--detach', '--rm', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error('docker run failed');
  undo.push(() => spawnSync('docker', ['rm', '--force', stdout.trim()], { stdio: 'ignore' }));
}

async function kafkaImage(undo) {
  const port = await freePort();
  const settings = {
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_LISTENERS: `PLAINTEXT://0.0.0.0:${port},CONTROLLER://127.0.0.1:9093`,
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@127.0.0.1:9093',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
  };
  const env = Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  container(undo, ['--publish', `127.0.0.1:${port}:${port}`, ...env, KAFKA_IMAGE]);
  const brokers = `127.0.0.1:${port}`;
  await until('Kafka', () => answers(brokers));
  return brokers;
}

async function kafkaJars(undo) {
  const env = { ...process.env, KAFKA_PORT: String(await kafkaPort()) };
  const script = spawn('bash', [KAFKA_SCRIPT, 'start', '1'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  undo.push(() => {
    script.kill();
    spawnSync('bash', [KAFKA_SCRIPT, 'stop'], { env, stdio: 'ignore' });
  });
  const [printed, [code]] = await Promise.all([text(script.stdout), once(script, 'exit')]);
  if (code !== 0) throw new Error('Kafka did not start');
  return printed.trim().split('\n').at(-1);
}

/**
 * A free port whose successor is free too: broker and controller. They lie below those that outgoing connections take,
 * one of which would else come between before Kafka listens.
 */
async function kafkaPort() {
  for (;;) {
    const port = 10_000 + 2 * Math.floor(Math.random() * 5_000);
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
}

async function answers(brokers) {
  const admin = adminOf(brokers);
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.length > 0;
  } catch {
    return false;
  } finally {
    await admin.disconnect();
  }
}

/** Creates topics that do not exist yet. */
export async function createTopics(brokers, names) {
  const admin = adminOf(brokers);
  try {
    await admin.connect();
    await admin.createTopics({
      topics: names.map((topic) => ({ topic, numPartitions: 3 })),
      waitForLeaders: false,
    });
    // Brokers name the leader of a partition before that has its log.
    const serves = (topic) => admin.fetchTopicOffsets(topic).then(Boolean, () => false);
    for (const name of names) await until(`the topic ${name}`, () => serves(name));
  } finally {
    await admin.disconnect();
  }
}

/** How many records a topic has taken. */
export async function recordsIn(brokers, topic) {
  const admin = adminOf(brokers);
  try {
    await admin.connect();
    const partitions = await admin.fetchTopicOffsets(topic);
    return partitions.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  } finally {
    await admin.disconnect();
  }
}

const adminOf = (brokers) =>
  new Kafka({ clientId: 'skein-tools', brokers: brokers.split(','), logLevel: 0 }).admin();
