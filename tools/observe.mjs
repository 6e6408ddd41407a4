// A Prometheus beside nodes that run on this machine, with the rules that the project ships.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { ensurePrograms } from './debian-packages.mjs';
import { freePort, until } from './ports.mjs';

const RULES = fileURLToPath(new URL('../deploy/monitoring/rules/*.yaml', import.meta.url));
const HOST = '127.0.0.1';

/** One process that is scraped, as `{pod, port}`; on Kubernetes the monitors of the chart set the same labels. */
const target =
  (namespace) =>
  ({ pod, port }) => ({ targets: [`${HOST}:${port}`], labels: { namespace, pod } });

/** The configuration of a Prometheus that scrapes the ops ports of nodes and of the API. */
export function scrapeConfig({ nodes, apis, namespace, rules = [RULES], intervalSeconds = 5 }) {
  const interval = `${intervalSeconds}s`;
  return {
    global: {
      scrape_interval: interval,
      scrape_timeout: interval,
      evaluation_interval: interval,
    },
    rule_files: rules,
    scrape_configs: [
      { job_name: 'skein-broker', static_configs: nodes.map(target(namespace)) },
      { job_name: 'skein-api', static_configs: apis.map(target(namespace)) },
    ],
  };
}

/** Starts Debian's Prometheus on a free port, or `port`, its data in `directory`; returns its URL once it answers. */
export async function startPrometheus(group, directory, { port, ...scrapes }) {
  await ensurePrograms({ prometheus: 'prometheus' });
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'prometheus.yml');
  writeFileSync(file, stringify(scrapeConfig(scrapes)));
  const url = `http://${HOST}:${port ?? (await freePort())}`;
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
    '--storage.tsdb.retention.time=1d',
    '--log.level=error',
  ];
  const { ended } = group.start('prometheus', args, {
    output: (line) => console.log(`prometheus | ${line}`),
  });
  let over;
  ended.then((code) => (over = code));
  await until('Prometheus', async () => {
    if (over !== undefined) throw new Error(`Prometheus has ended: ${over}`);
    return fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  });
  return url;
}
