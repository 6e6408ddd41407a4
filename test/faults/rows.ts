import { setTimeout as delay } from 'node:timers/promises';
import type { FleetPlan, ReceiverPlan } from './fleet.ts';
import type { Row, RowRun } from './row.ts';

const PUBLISHERS = 20;
/** How long a killed node is away before it is started again. */
const AWAY_MS = 2_000;

const receiver = (home: number, more: Partial<ReceiverPlan> = {}): ReceiverPlan => ({
  name: `receiver-${String(home)}`,
  home,
  ...more,
});

/** Two subscribers that get everything, and one that gets a fifth of it. */
const plan = (
  publisherHomes: readonly number[],
  receivers: readonly ReceiverPlan[],
): FleetPlan => ({
  publishers: PUBLISHERS,
  publisherHomes,
  receivers,
});

/** Kills a node at moments in these shares of the run, and starts it again each time. */
const killing =
  (index: number, shares: readonly (readonly [number, number])[]) =>
  async ({ cluster, fleet, moment }: RowRun): Promise<void> => {
    const node = cluster.node(index);
    for (const [from, to] of shares) {
      await moment(from, to);
      fleet.fault();
      await cluster.kill(node);
      await delay(AWAY_MS);
      await cluster.start(node);
    }
  };

const TWICE = [
  [0.15, 0.3],
  [0.55, 0.7],
] as const;

/** The rows of the table, by name. */
export const ROWS: readonly Row[] = [
  {
    name: 'kill-publisher-node',
    title: 'SIGKILL of the node of all publishers, twice',
    plan: plan([0], [receiver(1), receiver(2)]),
    inject: killing(0, TWICE),
  },
  {
    name: 'kill-subscriber-node',
    title: 'SIGKILL of the node of the subscribers, twice',
    plan: plan([1, 2], [receiver(0), receiver(0, { name: 'receiver-0b' }), receiver(1)]),
    inject: killing(0, TWICE),
  },
];
