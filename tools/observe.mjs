// A Prometheus, and an Alertmanager, beside nodes that run on this machine, with the rules that the project ships.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { ALERTMANAGER_PROGRAMS, ensurePrograms } from './debian-packages.mjs';
import { freePort, until } from './ports.mjs';

const RULES = fileURLToPath(new URL('../deploy/monitoring/rules/*.yaml', import.meta.url));
const HOST = '127.0.0.1';

/** One process that is scraped, as `{pod, port}`; on Kubernetes the monitors of the chart set the same labels. */
const target =
  (namespace) =>
  ({ pod, port }) => ({ targets: [`${HOST}:${port}`], labels: { namespace, pod } });

/** The configuration of a Prometheus that scrapes the ops ports of nodes and of the API. */
export function scrapeConfig({ nodes, apis, namespace, rules = [RULES], ...more }) {
  const { intervalSeconds = 5, alertmanagerUrl } = more;
  const interval = `${intervalSeconds}s`;
  return {
    global: {
      scrape_interval: interval,
      scrape_timeout: interval,
      evaluation_interval: interval,
    },
    rule_files: rules,
    ...(alertmanagerUrl !== undefined && {
      alerting: {
        alertmanagers: [{ static_configs: [{ targets: [new URL(alertmanagerUrl).host] }] }],
      },
    }),
    scrape_configs: [
      { job_name: 'skein-broker', static_configs: nodes.map(target(namespace)) },
      { job_name: 'skein-api', static_configs: apis.map(target(namespace)) },
    ],
  };
}

/** The configuration of an Alertmanager that tells a webhook of each alert, and of its end, as soon as it can. */
export function alertConfig(webhookUrl, inhibitRules) {
  return {
    route: {
      receiver: 'pager',
      group_by: ['...'],
      group_wait: '1s',
      group_interval: '1s',
      repeat_interval: '1h',
    },
    receivers: [{ name: 'pager', webhook_configs: [{ url: webhookUrl, send_resolved: true }] }],
    inhibit_rules: inhibitRules,
  };
}

/** Starts Debian's Prometheus on a free port, or `port`, its data in `directory`; returns its URL once it answers. */
export async function startPrometheus(group, directory, { port, ...scrapes }) {
  await ensurePrograms({ prometheus: 'prometheus' });
  const file = written(directory, 'prometheus.yml', scrapeConfig(scrapes));
  const url = `http://${HOST}:${port ?? (await freePort())}`;
  await started(group, { name: 'Prometheus', command: 'prometheus', url }, [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
    '--storage.tsdb.retention.time=1d',
    '--log.level=error',
  ]);
  return url;
}

/** Starts Debian's Alertmanager on a free port; returns its URL once it answers. */
export async function startAlertmanager(group, directory, config) {
  await ensurePrograms(ALERTMANAGER_PROGRAMS);
  const file = written(directory, 'alertmanager.yml', config);
  const url = `http://${HOST}:${await freePort()}`;
  const command = 'prometheus-alertmanager';
  await started(group, { name: 'Alertmanager', command, url }, [
    `--config.file=${file}`,
    `--storage.path=${join(directory, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
    '--cluster.listen-address=',
    '--log.level=error',
  ]);
  return url;
}

function written(directory, name, config) {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, name);
  writeFileSync(file, stringify(config));
  return file;
}

async function started(group, { name, command, url }, args) {
  const { ended } = group.start(command, args, {
    output: (line) => console.log(`${command} | ${line}`),
  });
  let over;
  ended.then((code) => (over = code));
  await until(name, async () => {
    if (over !== undefined) throw new Error(`${name} has ended: ${over}`);
    return fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
}
