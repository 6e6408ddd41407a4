import { execFile } from 'node:child_process';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { SpoolFullPolicy } from '#libs/broker-ports';
import { REASON } from '#libs/mqtt-codec';
import { until } from '#libs/testkit';
import { versionOf } from '../fleet.ts';
import {
  bridgeRows,
  type BridgeEnding,
  type BridgeFault,
  type BridgeRow,
  type BridgeRun,
} from './bridge-row.ts';
import type { MemorySample } from './memory-watch.ts';
import { MockForRows } from './mock-rows.ts';
import { countedBy, spooled } from './node-settings.ts';
import { RealKafka } from './real-kafka.ts';

type Run = BridgeRun<MockForRows>;

/** The least that the product takes: full within seconds. */
const SMALL_BYTES = 1_048_576;
/** Shorter than Kafka is away. */
const BLOCK_TIMEOUT_MS = 2_000;
const DISK_MIB = 32;
const BALLAST_MIB = 28;
/** How long a state that a fault brings about is kept. */
const HOLD_MS = 3_000;
const FAULT_DEADLINE_MS = 60_000;
const AWAY_MS = 180_000;
/** Memory has reached its level this long into an absence. */
const SETTLE_MS = 60_000;
/** Where memory is plentiful a heap grows for minutes before it is collected. This keeps it near to what lives, so that it shows. */
const HEAP_FLAGS = ['--heap-growing-percent=50'];
/** What the level may rise meanwhile. */
const NOISE_MIB = 48;
const BROKERS = [1, 2, 3];
/** Less than a second of the load: what is on its way. */
const CAUGHT_UP_RECORDS = 1_000;
const DRAIN_DEADLINE_MS = 300_000;
const LOOK_MS = 1_000;
const DAMAGED_BYTES = 65_536;

const takeAway = (kafka: MockForRows): Promise<void> => kafka.each((each) => kafka.mock.down(each));
const bringBack = (kafka: MockForRows): Promise<void> => kafka.each((each) => kafka.mock.up(each));

async function awayAWhile({ fleet, kafka, moment }: Run): Promise<void> {
  await moment(0.1, 0.1);
  fleet.fault();
  await takeAway(kafka);
  await moment(0.7, 0.75);
  fleet.fault();
  await bringBack(kafka);
}

/** Refusals were seen by clients of MQTT 5, all with one reason code; by others as the end of their connection. */
function refusedWith(code: number) {
  return ({ fleet, notes, failures }: Run, ending: BridgeEnding): void => {
    const refused = fleet.history.publications
      .flat()
      .filter(({ refusal }) => refusal !== undefined);
    const codes = new Set(refused.map(({ refusal = 0 }) => `0x${refusal.toString(16)}`));
    Object.assign(notes, { refusedWith: [...codes].join(' ') });
    if ([...codes].join() !== `0x${code.toString(16)}`) failures.push('not refused as it must be');
    if (refused.some(({ publisher }) => versionOf(publisher) !== 5)) {
      failures.push('a client of MQTT 3.1.1 was told a reason code');
    }
    if (!fleet.ends.includes('closed')) failures.push('no client of MQTT 3.1.1 felt a refusal');
    if (ending.refusedStored > 0) failures.push('what was refused is in Kafka');
  };
}

/** What was dropped is what was counted, and nobody was told. */
function droppedAsCounted({ failures }: Run, { lost, givenUp, refused }: BridgeEnding): void {
  if (givenUp === 0) failures.push('nothing was dropped');
  if (lost !== givenUp) failures.push(`${String(givenUp)} counted, ${String(lost)} not in Kafka`);
  if (refused > 0) failures.push('a message was refused');
}

/** What had room at its deadline and was durable after it has an unknown outcome (0x83), and may be there. */
function refusedLate({ fleet, notes, failures }: Run): void {
  const publications = fleet.history.publications.flat();
  const full = publications.filter(({ refusal }) => refusal === REASON.quotaExceeded).length;
  Object.assign(notes, { refusedWith0x97: full });
  if (full === 0) failures.push('nothing was refused with 0x97');
}

const FULL: Readonly<Record<SpoolFullPolicy, NonNullable<BridgeFault<MockForRows>['inspect']>>> = {
  reject: refusedWith(REASON.quotaExceeded),
  block: refusedLate,
  'drop-oldest': droppedAsCounted,
  'drop-newest': droppedAsCounted,
};

const full = (onFull: SpoolFullPolicy): BridgeFault<MockForRows> => ({
  name: `full-${onFull}`,
  title: `Kafka is away for longer than the spool has room: ${onFull}`,
  secondsMax: 15,
  spool: { bytesMax: SMALL_BYTES, bufferBytesMax: SMALL_BYTES, onFull },
  ackTimeoutMs: BLOCK_TIMEOUT_MS,
  givesUp: onFull.startsWith('drop'),
  inject: awayAWhile,
  inspect: FULL[onFull],
});

const isRefusing = async ({ cluster }: Run): Promise<boolean> =>
  (await countedBy(cluster.nodes)).refused > 0;

/** Kafka goes, the spool comes to refuse, the cause is taken away, and only when messages are taken again Kafka comes back. */
function whileAway(begin: (run: Run) => Promise<unknown>, end: (run: Run) => Promise<unknown>) {
  return async (run: Run): Promise<void> => {
    const { fleet, kafka, moment, notes } = run;
    await moment(0.1, 0.1);
    fleet.fault();
    await takeAway(kafka);
    await begin(run);
    await until(() => isRefusing(run), FAULT_DEADLINE_MS);
    await delay(HOLD_MS);
    const before = await spooled(run.cluster.nodes);
    fleet.fault();
    await end(run);
    // More than the disk had: messages are taken again while Kafka is still away.
    await until(
      async () => (await spooled(run.cluster.nodes)) > before + CAUGHT_UP_RECORDS,
      FAULT_DEADLINE_MS,
    );
    Object.assign(notes, { spooledWhenFull: before, spooled: await spooled(run.cluster.nodes) });
    fleet.fault();
    await bringBack(kafka);
  };
}

/**
 * The system takes no write of a node's files (EFBIG) until it is started anew: after some writes that failed the driver of
 * the spool does not get over it, or ends the process.
 */
async function refuseWrites({ cluster, fleet, kafka, moment, notes }: Run): Promise<void> {
  const node = cluster.node(0);
  await moment(0.1, 0.1);
  fleet.fault();
  await takeAway(kafka);
  await moment(0.3, 0.4);
  fleet.fault();
  cluster.release();
  await promisify(execFile)('prlimit', [`--pid=${String(node.child.pid)}`, '--fsize=1:unlimited']);
  await delay(HOLD_MS);
  Object.assign(notes, { processAfterwards: node.child.isRunning ? 'runs' : 'has ended' });
  await cluster.kill(node);
  await cluster.start(node);
  fleet.fault();
  await bringBack(kafka);
}

/** A node does not start on a damaged file, and what the file had is sent when the file is good again. */
async function damage({ cluster, disk, fleet, kafka, moment, failures }: Run): Promise<void> {
  const node = cluster.node(0);
  const file = join(disk.dirOf(0), 'spool.mdb');
  await moment(0.1, 0.1);
  await takeAway(kafka);
  await moment(0.4, 0.5);
  fleet.fault();
  await cluster.kill(node);
  await copyFile(file, `${file}.good`);
  const bytes = await readFile(file);
  await writeFile(file, bytes.fill('damage', 0, DAMAGED_BYTES));
  const outcome = await cluster.start(node).then(() => 'it has started', String);
  if (!outcome.includes('bridge.spool.dir')) failures.push(`on a damaged file: ${outcome}`);
  await copyFile(`${file}.good`, file);
  await cluster.start(node);
  fleet.fault();
  await bringBack(kafka);
}

const MOCK_FAULTS: readonly BridgeFault<MockForRows>[] = [
  full('reject'),
  full('drop-oldest'),
  full('drop-newest'),
  full('block'),
  {
    name: 'disk-full',
    title: `Kafka is away until a disk of ${String(DISK_MIB)} MiB is full; then there is room again`,
    secondsMax: 15,
    diskMiB: DISK_MIB,
    inject: whileAway(
      ({ disk }) => disk.fill(BALLAST_MIB),
      ({ disk }) => disk.free(),
    ),
    inspect: refusedWith(REASON.quotaExceeded),
  },
  {
    name: 'disk-unwritable',
    title:
      'Kafka is away and the system takes no write of the spool; then its node is started anew',
    secondsMax: 15,
    inject: refuseWrites,
  },
  {
    name: 'disk-damaged',
    title: 'the file of the spool is damaged while its node does not run, and then restored',
    secondsMax: 15,
    inject: damage,
  },
];

/** All of Kafka is away for minutes; the load goes on until what waited has gone. */
async function longAway(run: BridgeRun<RealKafka>): Promise<void> {
  const { kafka, cluster, fleet, memory, notes, failures } = run;
  const { nodes } = cluster;
  const before = memory.now();
  fleet.fault();
  await Promise.all(BROKERS.map((broker) => kafka.cluster.kill(broker)));
  const awaySinceMs = performance.now();
  await delay(SETTLE_MS);
  memory.reset();
  const settled = memory.now();
  await delay(awaySinceMs + AWAY_MS - performance.now());
  const away = memory.highest;
  const grown = await spooled(nodes);
  fleet.fault();
  await kafka.cluster.restart(...BROKERS);
  const backSinceMs = performance.now();
  memory.reset();
  const isCaughtUp = async (): Promise<boolean> => {
    await delay(LOOK_MS);
    return (await spooled(nodes)) < CAUGHT_UP_RECORDS;
  };
  await until(isCaughtUp, DRAIN_DEADLINE_MS);
  Object.assign(notes, {
    spooled: grown,
    secondsToCatchUp: ((performance.now() - backSinceMs) / 1_000).toFixed(1),
    memoryBefore: told(before),
    memoryAfterAMinute: told(settled),
    memoryHighestAway: told(away),
    memoryHighestCatchingUp: told(memory.highest),
    memoryAfter: told(memory.now()),
  });
  if (away.anonymous > settled.anonymous + NOISE_MIB)
    failures.push('memory has grown with the spool');
}

const told = ({ rss, anonymous }: MemorySample): string =>
  `${String(rss)} MiB resident, ${String(anonymous)} without files`;

const REAL_FAULTS: readonly BridgeFault<RealKafka>[] = [
  {
    name: 'away',
    title: `all brokers are away for ${String(AWAY_MS / 1_000)} s`,
    secondsMax: 10,
    nodeArgs: HEAP_FLAGS,
    inject: longAway,
  },
];

/** Faults of the spool itself, on a mock Kafka. */
export const MOCK_SPOOL_ROWS: readonly BridgeRow[] = bridgeRows(
  'spool',
  MockForRows.open,
  MOCK_FAULTS,
);

/** The same on three brokers. */
export const REAL_SPOOL_ROWS: readonly BridgeRow[] = bridgeRows(
  'spool',
  RealKafka.open,
  REAL_FAULTS,
);
