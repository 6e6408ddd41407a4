// A cluster for pictures: under traffic, with things that go wrong, watched by a Prometheus.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { buildIfStale } from '../build.mjs';
import { KAFKA_PROGRAMS, ensurePrograms } from '../debian-packages.mjs';
import { startPrometheus } from '../observe.mjs';
import { ProcessGroup, onStopSignal } from '../process-group.mjs';
import '../without-jest.mjs';

const { Scope } = await import('../../test/e2e/harness/scope.ts');
const { openStage } = await import('../../test/drills/stage.ts');
const { TROUBLED_BRIDGE_RULES, TROUBLED_SETTINGS, beginTroubles } =
  await import('../../test/drills/troubles.ts');

const EXIT_STOPPED = 130;
const MINUTE_MS = 60_000;
/** When each of these begins, as a share of the whole. */
const AT = { drain: 0.25, drained: 0.4, kill: 0.55, start: 0.75 };
const DRAIN_PER_SECOND = 2;

async function observe(scope, scraped, scrapeSeconds) {
  const directory = mkdtempSync(join(tmpdir(), 'skein-dashboards-'));
  scope.add(() => rmSync(directory, { recursive: true, force: true }));
  const group = new ProcessGroup();
  scope.add(() => group.stop());
  const options = { ...scraped, namespace: 'skein', intervalSeconds: scrapeSeconds };
  return startPrometheus(group, join(directory, 'prometheus'), options);
}

/** The third node is drained, comes back, is killed, and comes back. */
async function play({ api, nodes: [, , third] }, minutes) {
  const path = { node_id: third.id };
  const began = performance.now();
  const until = (share) => {
    const left = began + share * minutes * MINUTE_MS - performance.now();
    return delay(Math.max(left, 0));
  };
  await until(AT.drain);
  await api.call('startDrain', { path, body: { connections_per_second: DRAIN_PER_SECOND } });
  await until(AT.drained);
  await api.call('stopDrain', { path });
  await until(AT.kill);
  await third.kill();
  await until(AT.start);
  // On a machine that is too busy it comes late, or not at all; that is a picture as well.
  const started = third.start().catch((error) => console.error(error.message));
  await until(1);
  await started;
}

/** Lets a cluster run for so many minutes, and gives what `draw` gives for the URL of its Prometheus. */
export async function onStage({ minutes, scrapeSeconds }, draw) {
  const programs = { 'redis-server': 'redis-server', prometheus: 'prometheus' };
  await ensurePrograms({ ...programs, ...KAFKA_PROGRAMS });
  await buildIfStale();
  const scope = new Scope();
  const stop = () => process.exit(EXIT_STOPPED);
  onStopSignal(() => scope.close().finally(stop), stop);
  let url;
  try {
    const stage = await openStage(scope, {
      observe: async (scraped) => (url = await observe(scope, scraped, scrapeSeconds)),
      settings: TROUBLED_SETTINGS,
      bridgeRules: TROUBLED_BRIDGE_RULES,
    });
    console.log(`${url} watches; the pictures are drawn in ${minutes} minutes`);
    await beginTroubles(stage, scope);
    await play(stage, minutes);
    return await draw(url);
  } finally {
    await scope.close();
  }
}
