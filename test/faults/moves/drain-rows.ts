import { setTimeout as delay } from 'node:timers/promises';
import { until } from '#libs/testkit';
import { Api } from '../../e2e/harness/api.ts';
import type { Broker } from '../../e2e/harness/broker.ts';
import type { Device } from '../device.ts';
import type { FleetPlan } from '../fleet.ts';
import type { Row, RowOptions, RowRun } from '../row.ts';
import { shedRateOf } from './shed-rate.ts';
import { IDLE, WILLS, WillWitness } from './will-witness.ts';

const CLIENTS = 2_000;
/** Publishers and subscribers at the other nodes, so that messages go both ways. */
const OTHERS = 20;
const RATE = 100;
const TOLERANCE = 0.2;
/** Of the row that has one: its rate alone would take minutes. */
const DEADLINE = { seconds: 30, rate: 5 };
const LAME_DUCK_SECONDS = 4;
const HOLD_SECONDS = 30;
const REFERENCE = 'elsewhere.test:1883';
/** Clients that do not come back: their wills are to be told. */
const ABSENT = 10;
/** Clients that come while the node is being drained. */
const NEWCOMERS = 10;
const DEADLINE_MS = 60_000;
/** Those of a machine with much to do are late, and not dead. */
const KEEP_ALIVE_MS = 60_000;
/** What helm/skein gives a node besides lame duck and shedding, and at least: see skein.graceSecondsMin. */
const GRACE = { more: 30, least: 60 };

const clientsOf = ({ clients = CLIENTS }: RowOptions): number => clients;

/** All but a few are at the first node: half publishers, half subscribers, half MQTT 3.1.1, half MQTT 5, half QoS 1, half QoS 2. */
function plan(options: RowOptions): FleetPlan {
  const pairs = Math.floor(clientsOf(options) / 2);
  const publishers = pairs + OTHERS;
  return {
    publishers,
    // Two publishers have one home after the other.
    publisherHomes: Array.from({ length: Math.ceil(publishers / 2) }, (_, at) =>
      2 * at < pairs ? 0 : 1 + (at % 2),
    ),
    receivers: Array.from({ length: publishers }, (_, index) => ({
      name: `receiver-${String(index)}`,
      home: index < pairs ? 0 : 1 + (index % 2),
      publishers: index < pairs ? [index, pairs + (index % OTHERS)] : [index - pairs],
    })),
    wills: WILLS,
    keepAliveMs: KEEP_ALIVE_MS,
  };
}

/** What a drain is to show, and how it is made. */
interface DrainPlan {
  /** Drains the first node; resolves when its clients have gone. */
  readonly drain: (run: RowRun, node: Broker) => Promise<void>;
  /** What MQTT 5 clients are told. */
  readonly code: '0x8b' | '0x9c';
  readonly reference: string | undefined;
  /** When all have to have gone. @defaultValue the rate decides */
  readonly deadlineSeconds?: number;
}

async function drainUnderLoad(run: RowRun, drain: DrainPlan): Promise<void> {
  const { cluster, fleet, failures, notes } = run;
  const node = cluster.node(0);
  const witness = new WillWitness();
  const witnessDevice = fleet.addDevice('witness', { role: witness, home: 1, version: 5 });
  const guests = fleet.devices.filter((device) => device.port === node.port);
  const absent = numbers(ABSENT).map((at) =>
    fleet.addDevice(`absent-${at}`, {
      ...{ role: IDLE, home: 0, version: Number(at) % 2 === 0 ? 4 : 5, reconnects: false },
    }),
  );
  await until(() => witness.isSubscribed && absent.every(isConnected), DEADLINE_MS);
  notes['clients'] = guests.length + absent.length;
  notes['inFlight'] = await node.ops.metric('skein_broker_inflight_messages');
  await run.moment(0.1, 0.15);
  fleet.fault();
  const drained = drain.drain(run, node);
  drained.catch(() => undefined);
  await until(async () => (await node.ops.health('ready')) === 503, DEADLINE_MS);
  const newcomers = addNewcomers(run);
  await drained;
  await until(() => [...guests, ...newcomers].every(isConnected), DEADLINE_MS).catch(
    () => undefined,
  );
  // Wills that are not taken back are told by then.
  await delay((HOLD_SECONDS + 5) * 1_000);
  judgeDepartures(run, drain, [...guests, ...absent]);
  judgeReturns(run, node, [...guests, ...newcomers]);
  const wanted = new Set(absent.map(({ options }) => options.clientId));
  const isFalse = (client: string): boolean => !wanted.has(client);
  const falseWills = witness.told.filter(isFalse);
  notes['wills'] = witness.told.length;
  notes['falseWills'] = falseWills.length;
  if (falseWills.length > 0)
    failures.push(`wills of clients that came back: ${falseWills.slice(0, 5).join(', ')}`);
  if (new Set(witness.told).size - new Set(falseWills).size < ABSENT)
    failures.push('a will of a client that stayed away is missing');
  if (witnessDevice.departures.length > 0)
    failures.push('whoever hears wills has lost its connection');
  if (fleet.sessionsLost > 0) failures.push(`${String(fleet.sessionsLost)} sessions lost`);
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, at) => String(at));
const isConnected = (device: Device): boolean => device.isConnected;

/** They connect at the next tick. */
function addNewcomers({ fleet }: RowRun): readonly Device[] {
  return numbers(NEWCOMERS).map((at) =>
    fleet.addDevice(`newcomer-${at}`, {
      ...{ role: IDLE, home: 0, version: Number(at) % 2 === 0 ? 4 : 5 },
    }),
  );
}

function judgeRate({ notes, failures }: RowRun, timesMs: readonly number[]): void {
  const rate = shedRateOf(timesMs);
  Object.assign(notes, {
    set: RATE,
    rate: rate.overall.toFixed(1),
    steadyRate: rate.steady.toFixed(1),
    leastInASecond: rate.least,
    mostInASecond: rate.most,
  });
  for (const [name, measured] of [
    ['overall', rate.overall],
    ['steady', rate.steady],
  ] as const) {
    if (Math.abs(measured - RATE) > RATE * TOLERANCE) {
      failures.push(`${name} rate ${measured.toFixed(1)} instead of ${String(RATE)}`);
    }
  }
}

function judgeDepartures(run: RowRun, wanted: DrainPlan, guests: readonly Device[]): void {
  const { fleet, notes, failures } = run;
  const first = guests.flatMap((device) => {
    const [departure] = device.departures;
    return departure === undefined ? [] : [{ version: device.options.version, ...departure }];
  });
  const timesMs = first.map(({ atMs }) => atMs);
  if (wanted.deadlineSeconds === undefined) judgeRate(run, timesMs);
  else {
    const seconds = (Math.max(...timesMs) - (fleet.faultsAtMs[0] ?? 0)) / 1_000;
    Object.assign(notes, {
      deadlineSeconds: wanted.deadlineSeconds,
      lastAfterSeconds: seconds.toFixed(1),
    });
    if (seconds > wanted.deadlineSeconds)
      failures.push(`the last client left after ${seconds.toFixed(1)} s`);
  }
  if (first.length < guests.length) {
    failures.push(`${String(guests.length - first.length)} clients were not sent away`);
  }
  const told = first.filter(({ version }) => version === 5);
  const wrong = told.filter(
    ({ why, serverReference }) => why !== wanted.code || serverReference !== wanted.reference,
  );
  notes['toldOtherwise'] = wrong.length;
  notes['told'] =
    `${String(told.length - wrong.length)} x ${wanted.code} ${wanted.reference ?? ''}`.trim();
  if (wrong.length > 0)
    failures.push(`MQTT 5 clients saw ${[...new Set(wrong.map(({ why }) => why))].join(', ')}`);
  const closed = first.filter(({ version, why }) => version === 4 && why === 'closed');
  notes['closed'] = closed.length;
  if (closed.length + told.length < first.length)
    failures.push('an MQTT 3.1.1 client has not seen its connection closed');
}

/** Everybody is elsewhere, after one connection lost. */
function judgeReturns({ notes, failures }: RowRun, node: Broker, devices: readonly Device[]): void {
  const lost = devices.filter((device) => !device.isConnected || device.port === node.port);
  const twice = devices.filter(
    ({ departures }) => departures.filter(({ wasConnected }) => wasConnected).length > 1,
  );
  const refused = devices.flatMap(({ ends }) => ends.filter((why) => why.startsWith('refused')));
  const awayMs = devices
    .flatMap(({ departures: [gone], arrivalsMs: [, back] }) =>
      gone === undefined || back === undefined ? [] : [back - gone.atMs],
    )
    .toSorted((a, b) => a - b);
  const awayAt = (share: number): string =>
    ((awayMs[Math.floor(share * (awayMs.length - 1))] ?? 0) / 1_000).toFixed(2);
  notes['awaySeconds'] = `${awayAt(0.5)} median, ${awayAt(0.99)} p99, ${awayAt(1)} most`;
  notes['movedTwice'] = twice.length;
  notes['turnedAway'] = [...new Set(refused)].join(' ');
  if (lost.length > 0) failures.push(`${String(lost.length)} clients are not connected elsewhere`);
  if (twice.length > 0) failures.push(`${String(twice.length)} clients lost two connections`);
  if (refused.length < NEWCOMERS)
    failures.push('a client that came meanwhile was not sent elsewhere');
}

async function end({ cluster, options, notes, failures }: RowRun, node: Broker): Promise<void> {
  const shed = Math.ceil((clientsOf(options) + ABSENT) / RATE);
  const grace = Math.max(GRACE.least, LAME_DUCK_SECONDS + shed + GRACE.more);
  const begunAtMs = performance.now();
  const code = await cluster.end(node, grace * 1_000);
  notes['exit'] = String(code);
  notes['endSeconds'] = ((performance.now() - begunAtMs) / 1_000).toFixed(1);
  notes['graceSeconds'] = grace;
  if (code !== 0) failures.push(`exit code ${String(code)}`);
}

/** Drains over REST; then the node, which is empty, ends. */
async function drainByApi(run: RowRun, node: Broker): Promise<void> {
  const api = await Api.start(run.scope, node.settings);
  const path = { node_id: node.id };
  const body = { connections_per_second: RATE, wait_health_check_seconds: LAME_DUCK_SECONDS };
  await api.call('startDrain', { path, body });
  await until(async () => {
    const { body: now } = await api.call('getDrain', { path });
    const { state, remaining } = now as { readonly state: string; readonly remaining: number };
    return state === 'drained' && remaining === 0;
  }, DEADLINE_MS);
  await end(run, node);
}

/** A node with thousands of clients is emptied, as for an upgrade. */
export const DRAIN_ROWS: readonly Row[] = [
  {
    name: 'drain-sigterm',
    title: 'SIGTERM of a node with 2,000 clients of three nodes, and a Server Reference',
    plan,
    settings: {
      DRAIN_CONNECTIONS_PER_SECOND: RATE,
      DRAIN_LAME_DUCK_SECONDS: LAME_DUCK_SECONDS,
      DRAIN_WILL_HOLD_SECONDS: HOLD_SECONDS,
      DRAIN_SERVER_REFERENCE: REFERENCE,
    },
    inject: (run) => drainUnderLoad(run, { drain: end, code: '0x9c', reference: REFERENCE }),
  },
  {
    name: 'drain-deadline',
    title: 'SIGTERM of a node with 2,000 clients and 30 s, whatever its rate',
    plan,
    settings: {
      DRAIN_CONNECTIONS_PER_SECOND: DEADLINE.rate,
      DRAIN_DEADLINE_SECONDS: DEADLINE.seconds,
      DRAIN_LAME_DUCK_SECONDS: LAME_DUCK_SECONDS,
      DRAIN_WILL_HOLD_SECONDS: HOLD_SECONDS,
    },
    inject: (run) =>
      drainUnderLoad(run, {
        ...{ drain: end, code: '0x8b', reference: undefined },
        deadlineSeconds: DEADLINE.seconds,
      }),
  },
  {
    name: 'drain-api',
    title: 'the API drains a node with 2,000 clients of three nodes',
    plan,
    settings: {
      DRAIN_LAME_DUCK_SECONDS: LAME_DUCK_SECONDS,
      DRAIN_WILL_HOLD_SECONDS: HOLD_SECONDS,
    },
    inject: (run) => drainUnderLoad(run, { drain: drainByApi, code: '0x8b', reference: undefined }),
  },
];
