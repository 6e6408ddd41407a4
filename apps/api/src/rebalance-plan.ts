import type { RebalanceView } from '#libs/api-contracts';

/** A node with how many clients are connected there. */
export interface NodeLoad {
  readonly node: string;
  readonly connections: number;
}

/** What a rebalance is to do. */
export interface RebalancePlan {
  /** Clients of each node that are aimed at. */
  readonly goal: number;
  readonly nodes: RebalanceView['plan'];
}

/**
 * Who gives how many clients away: nodes above the mean that have so many times as many clients as the node with the fewest, and
 * so many more.
 */
export function planRebalance(
  loads: readonly NodeLoad[],
  { relative, absolute }: { readonly relative: number; readonly absolute: number },
): RebalancePlan {
  const sum = loads.reduce((total, { connections }) => total + connections, 0);
  const goal = Math.ceil(sum / Math.max(1, loads.length));
  const least = Math.min(...loads.map(({ connections }) => connections));
  const isDonor = ({ connections }: NodeLoad): boolean =>
    connections > goal && connections > least * relative && connections - least > absolute;
  const hasDonor = loads.some(isDonor);
  const nodes = loads.map((load) => {
    const { node, connections } = load;
    if (isDonor(load)) {
      return { node, role: 'donor' as const, connections, to_shed: connections - goal };
    }
    const isBelow = hasDonor && connections < goal;
    const role = isBelow ? ('recipient' as const) : ('neutral' as const);
    return { node, role, connections, to_shed: 0 };
  });
  return { goal, nodes };
}
