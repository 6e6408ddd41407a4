import { setTimeout as delay } from 'node:timers/promises';
import { until } from '#libs/testkit';
import type { Device } from './device.ts';
import type { Subscriber } from './fleet.ts';
import { percentile } from './measurements/measurement.ts';
import type { RowRun } from './row.ts';

const TAKEOVERS_PER_SECOND = 500 / 60;
/** Each tenth time all nodes are asked at once. */
const BURST_EVERY = 10;
const SETTLE_DEADLINE_MS = 10_000;

/** What is counted of a storm. */
interface StormCounts {
  takeovers: number;
  /** Bursts: several connections at once, of which one may stay. */
  bursts: number;
  /** Not exactly one connection was left, and answered a ping, within the deadline. */
  ownersWrong: number;
  /** Until one connection was left and had answered a ping. */
  medianMs: number;
  slowestMs: number;
}

/** Connects the id of the subscriber `nomad` again and again, each time on a node by chance; each time exactly one owner must be left. */
export async function storm(run: RowRun): Promise<void> {
  const { fleet, options, notes, failures } = run;
  const nomad = fleet.subscriber('nomad');
  const times: number[] = [];
  const counts: StormCounts = {
    takeovers: 0,
    bursts: 0,
    ownersWrong: 0,
    medianMs: 0,
    slowestMs: 0,
  };
  let devices: readonly Device[] = [nomad.device];
  const total = Math.ceil(options.seconds * TAKEOVERS_PER_SECOND);
  const beganAtMs = performance.now();
  fleet.fault();
  for (let taken = 1; taken <= total; taken += 1) {
    const isBurst = taken % BURST_EVERY === 0;
    const isLast = taken === total;
    const next = takers(run, nomad, { isBurst: isBurst && !isLast, reconnects: isLast });
    const atMs = performance.now();
    const all = [...devices, ...next];
    const isSettled = await settled(nomad, all);
    counts.takeovers += next.length;
    counts.bursts += isBurst ? 1 : 0;
    times.push(performance.now() - atMs);
    if (!isSettled) {
      counts.ownersWrong += 1;
      const states = all.map(({ isConnected, isEnded, ends }) => ({
        isConnected,
        isEnded,
        ends,
      }));
      failures.push(`takeover ${String(taken)}: not one owner: ${JSON.stringify(states)}`);
    }
    devices = all.filter(({ isEnded }) => !isEnded);
    const dueMs = beganAtMs + (taken * 1_000) / TAKEOVERS_PER_SECOND;
    await delay(Math.max(0, dueMs - performance.now()));
  }
  counts.medianMs = Math.round(percentile(times, 0.5));
  counts.slowestMs = Math.round(Math.max(...times));
  Object.assign(notes, counts);
}

/** Begins to connect on one node, or on all at once. */
function takers(
  { fleet, cluster, random }: RowRun,
  { receiver, device }: Subscriber,
  { isBurst, reconnects }: { isBurst: boolean; reconnects: boolean },
): readonly Device[] {
  const count = cluster.nodes.length;
  const first = Math.floor(random() * count);
  const homes = Array.from({ length: isBurst ? count : 1 }, (_, index) => (first + index) % count);
  const { clientId, version } = device.options;
  return homes.map((home) => {
    const taker = fleet.addDevice(clientId, { role: receiver, home, version, reconnects });
    taker.tick(performance.now());
    return taker;
  });
}

/** Waits until one connection of these is left that answers, and all others have ended. */
async function settled({ receiver }: Subscriber, devices: readonly Device[]): Promise<boolean> {
  receiver.pongs.clear();
  let asked: Device | undefined;
  return until(() => {
    const open = devices.filter(({ isEnded }) => !isEnded);
    const [owner] = open;
    if (open.length !== 1 || owner?.isConnected !== true) return false;
    if (asked !== owner) owner.send({ kind: 'pingreq' });
    asked = owner;
    return receiver.pongs.has(owner);
  }, SETTLE_DEADLINE_MS).then(
    () => true,
    () => false,
  );
}
