import { nodeKey, parseShareRoute } from '#libs/cluster';
import { isShared, plainFilter } from '#libs/topic-index';
import type { SimCluster } from './sim-cluster.ts';
import type { SimFleet } from './sim-fleet.ts';

/**
 * What a cluster at rest must look like, when all faults are over and all messages delivered.
 *
 * @returns what is not so.
 */
export async function restless(cluster: SimCluster, fleet: SimFleet): Promise<string[]> {
  return [...ownersOf(cluster, fleet), ...(await remainsOf(cluster, fleet))];
}

/** One connection of each client, and no other at any node. */
function ownersOf({ nodes }: SimCluster, { devices }: SimFleet): string[] {
  const wrong: string[] = [];
  const open = new Map<string, number>();
  for (const { isConnected, options } of devices) {
    const { clientId } = options;
    open.set(clientId, (open.get(clientId) ?? 0) + (isConnected ? 1 : 0));
  }
  for (const [clientId, count] of open) {
    if (count !== 1) wrong.push(`${clientId} has ${String(count)} connections`);
  }
  const connections = nodes.reduce(
    (sum, { node }) => sum + (node?.admin.status().connections ?? 0),
    0,
  );
  const expected = [...open.values()].reduce((sum, count) => sum + count, 0);
  if (connections !== expected) {
    wrong.push(`nodes have ${String(connections)} connections of ${String(expected)}`);
  }
  return wrong;
}

/** No queues, no inboxes, no sessions of dead nodes, and routes for exactly what the sessions of a node want. */
async function remainsOf({ nodes, redis }: SimCluster, fleet: SimFleet): Promise<string[]> {
  const wrong: string[] = [];
  const wanted = new Map<string, Set<string>>();
  for (const { self } of nodes) if (self !== undefined) wanted.set(nodeKey(self), new Set());
  for (const clientId of new Set(fleet.devices.map(({ options }) => options.clientId))) {
    const record = await redis.sessions.load(clientId);
    if (record === undefined) {
      wrong.push(`${clientId} has no session`);
      continue;
    }
    const filters = wanted.get(nodeKey(record.owner));
    if (filters === undefined) wrong.push(`${clientId} is at ${nodeKey(record.owner)}`);
    for (const { filter } of record.subscriptions) {
      filters?.add(isShared(filter) ? filter : plainFilter(filter));
    }
    const left = record.queueMessages + record.releasedPacketIds.length;
    if (left > 0) wrong.push(`${clientId} has ${String(left)} messages left`);
    const begun = record.receiving.length;
    // Those that were refused keep their identity until their packet id is used again.
    if (begun > refusedOf(fleet, clientId)) wrong.push(`${clientId} has begun ${String(begun)}`);
  }
  for (const [key, size] of redis.inboxSizes()) {
    if (size > 0) wrong.push(`the inbox of ${key} has ${String(size)} batches left`);
  }
  for (const node of redis.memberKeys()) {
    const routes = redis.routesOf(node);
    const filters = routes.map((route) => parseShareRoute(route)?.filter ?? route).toSorted();
    const expected = [...(wanted.get(nodeKey(node)) ?? [])].toSorted();
    if (filters.join(' ') !== expected.join(' ')) {
      wrong.push(`${nodeKey(node)} is routed ${filters.join(' ')}, not ${expected.join(' ')}`);
    }
  }
  return wrong;
}

function refusedOf({ sources }: SimFleet, clientId: string): number {
  const source = sources.find(({ device }) => device.options.clientId === clientId);
  const publications = source?.publisher.publications ?? [];
  return publications.filter(({ refusal }) => refusal !== undefined).length;
}
