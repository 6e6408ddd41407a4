// Makes sure that the programs the tests drive are there; on Debian as root it installs what is missing.
// usage: node tools/debian-packages.mjs
import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { step } from './progress.mjs';

/** What the mock Kafka needs, which is compiled when it is first started. */
export const MOCK_KAFKA_PROGRAMS = {
  cc: 'gcc',
  '/usr/include/stdlib.h': 'libc6-dev',
  '/usr/include/librdkafka/rdkafka_mock.h': 'librdkafka-dev',
};

/** A program, or a file by its path, and the Debian package that brings it. */
export const TEST_PROGRAMS = {
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  mosquitto_pub: 'mosquitto-clients',
  kcat: 'kcat',
  haproxy: 'haproxy',
  promtool: 'prometheus',
  paho_c_sub: 'paho.mqtt.c-examples',
  '/usr/lib/python3/dist-packages/paho/mqtt/client.py': 'python3-paho-mqtt',
  '/usr/lib/rabbitmq/bin/rabbitmq-server': 'rabbitmq-server',
  ...MOCK_KAFKA_PROGRAMS,
};

/** What a Kafka without containers needs. */
export const KAFKA_PROGRAMS = { java: 'default-jre-headless', mvn: 'maven' };

/** Who tells people of alerts. */
export const ALERTMANAGER_PROGRAMS = { 'prometheus-alertmanager': 'prometheus-alertmanager' };

const POLICY = '/usr/sbin/policy-rc.d';

export function installed(program) {
  if (isAbsolute(program)) return existsSync(program);
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Installs the packages of missing programs; throws, saying what to install, where it cannot. */
export async function ensurePrograms(programs) {
  const missing = Object.entries(programs).filter(([program]) => !installed(program));
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  const names = missing.map(([program]) => program).join(', ');
  if (process.getuid?.() !== 0 || !installed('apt-get')) {
    throw new Error(`missing: ${names}; install them (Debian: apt-get install ${packages})`);
  }
  await step(`installing ${packages}`, () => withoutServices(() => install(packages.split(' '))));
}

async function install(packages) {
  await apt('update');
  await apt('install', '--yes', '--no-install-recommends', ...packages);
}

/** A package must not start its service: Debian asks this file, and 101 forbids it. */
async function withoutServices(work) {
  const ours = !existsSync(POLICY);
  if (ours) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    await work();
  } finally {
    if (ours) rmSync(POLICY, { force: true });
  }
}

function apt(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return new Promise((resolve, reject) => {
    const child = spawn('apt-get', ['--quiet=2', ...args], { env, stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`apt-get ${args.join(' ')} failed`)),
    );
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await ensurePrograms({ ...TEST_PROGRAMS, ...KAFKA_PROGRAMS });
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
