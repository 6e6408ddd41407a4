// Runs rendered pods as processes of this machine: the image's entry point, the rendered environment, configuration, arguments and ports.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { instructionsOf } from '../image-tree.mjs';
import { freePort, until } from '../ports.mjs';
import { environmentOf, writePod } from './pod-files.mjs';

const HOST = '127.0.0.1';
const root = fileURLToPath(new URL('../..', import.meta.url));
const dockerfile = readFileSync(join(root, 'deploy/docker/Dockerfile'), 'utf8');

/** Entry point and environment of an image, with those of the stages that it is made from. */
export function imageOf(name, text = dockerfile) {
  const stages = new Map();
  let stage;
  for (const [instruction, rest] of instructionsOf(text)) {
    if (instruction === 'FROM') {
      const [, base, own] = /^(\S+) AS (\S+)$/.exec(rest);
      const { env = {}, entrypoint = [] } = stages.get(base) ?? {};
      stage = { env: { ...env }, entrypoint };
      stages.set(own, stage);
    } else if (instruction === 'ENV') {
      for (const [, key, value] of rest.matchAll(/(\w+)=(\S+)/g))
        stage.env[key] = value.replace('$COMMIT', 'unknown');
    } else if (instruction === 'ENTRYPOINT') stage.entrypoint = JSON.parse(rest);
  }
  return stages.get(name);
}

/** Leads the ports and addresses of a configuration to this machine; `ports` has the new ones by the rendered. */
function localised(tree, { ports, redisPort, redisHosts }) {
  for (const listener of Object.values(tree.listeners ?? {})) {
    if (listener.port === undefined) continue;
    Object.assign(listener, { host: HOST, port: ports.get(listener.port) });
    // This machine may allow fewer open files than a container has.
    if (listener.connectionsMax !== undefined) listener.connectionsMax = 1_000;
  }
  tree.ops.host = HOST;
  if (tree.ops.port !== undefined) tree.ops.port = ports.get(tree.ops.port);
  if (tree.api !== undefined) {
    const { port, opsPort } = tree.api;
    Object.assign(tree.api, { host: HOST, port: ports.get(port), opsPort: ports.get(opsPort) });
  }
  if (tree.redis?.url !== undefined) {
    const { protocol } = new URL(tree.redis.url);
    tree.redis.url = `${protocol}//${HOST}:${redisPort}`;
  }
  // A node alone takes commands of an API beside it; pods have that port for themselves.
  if (tree.redis === undefined) tree.commands = { port: ports.get('commands') };
  for (const several of ['sentinels', 'nodes'])
    if (tree.redis?.[several] !== undefined) tree.redis[several] = redisHosts;
  return tree;
}

/**
 * Starts one pod; returns its name, its process, its new ports by the rendered ones, and what it has said.
 *
 * Where Redis is, is told by `redisPort`, or by `redisHosts` for Sentinels and a Redis Cluster.
 *
 * @param group - the processes that it is one of.
 * @param files - what writePod() takes: `spec`, `objects`, `directory`, `secrets`.
 */
export async function startPod(group, { redisPort, redisHosts, name, ...files }) {
  const [container] = files.spec.containers;
  const ports = new Map();
  for (const { containerPort } of container.ports) ports.set(containerPort, await freePort());
  ports.set('commands', await freePort());
  const change = (tree) => localised(tree, { ports, redisPort, redisHosts });
  const { lead, homeless } = writePod({ ...files, change });
  if (homeless.length > 0) throw new Error(`named but mounted nowhere: ${homeless.join(', ')}`);
  const env = environmentOf(container, { lead, fields: { 'metadata.name': name } });
  for (const [key, value] of Object.entries(env)) if (value === '0.0.0.0') env[key] = HOST;
  const image = imageOf(container.name);
  const [, ...entry] = container.command ?? image.entrypoint;
  const args = [...entry, ...(container.args ?? []).map(lead)];
  let output = '';
  const { child, ended } = group.start(process.execPath, args, {
    ...{ cwd: root, env: { ...image.env, ...env, PATH: process.env.PATH } },
    output: (line) => (output += `${line}\n`),
  });
  return { name, container, child, ended, ports, lead, output: () => output };
}

/** The URL of a rendered probe at a pod. */
export function probeUrl({ container, ports }, probe) {
  const { path, port } = container[probe].httpGet;
  const { containerPort } = container.ports.find((each) => each.name === port);
  return `http://${HOST}:${ports.get(containerPort)}${path}`;
}

/** What a URL answers; nothing where nobody listens. */
export const statusOf = (url) =>
  fetch(url, { signal: AbortSignal.timeout(2_000) }).then(
    ({ status }) => status,
    () => undefined,
  );

/** Waits as a kubelet would: every `periodSeconds`, `failureThreshold` times at most. */
export async function probed(pod, probe) {
  const { periodSeconds, failureThreshold } = pod.container[probe];
  const url = probeUrl(pod, probe);
  const deadlineMs = periodSeconds * failureThreshold * 1_000;
  let over;
  void pod.ended.then((code) => (over = code));
  await until(
    `${probe} of ${pod.name}`,
    async () => {
      if (over !== undefined) throw new Error(`${pod.name} has ended (${over}):\n${pod.output()}`);
      return (await statusOf(url)) === 200;
    },
    { deadlineMs },
  );
}

const snake = (name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A job of Prometheus that scrapes pods as a rendered monitor says, labels of discovery included. */
export function jobOf(monitor, pods, namespace) {
  const [endpoint] = monitor.spec.podMetricsEndpoints ?? monitor.spec.endpoints;
  const targets = pods.map(({ name, container, ports }) => {
    const { containerPort } = container.ports.find((each) => each.name === endpoint.port);
    const labels = { namespace, pod: name, container: container.name, endpoint: endpoint.port };
    return { targets: [`${HOST}:${ports.get(containerPort)}`], labels };
  });
  const renamed = (list = []) =>
    list.map((each) =>
      Object.fromEntries(Object.entries(each).map(([key, value]) => [snake(key), value])),
    );
  return {
    job_name: `${monitor.kind}/${namespace}/${monitor.metadata.name}`,
    ...{ metrics_path: endpoint.path, honor_labels: endpoint.honorLabels },
    ...{ scrape_interval: endpoint.interval, scrape_timeout: endpoint.scrapeTimeout },
    sample_limit: monitor.spec.sampleLimit,
    static_configs: targets,
    relabel_configs: renamed(endpoint.relabelings),
    metric_relabel_configs: renamed(endpoint.metricRelabelings),
  };
}
