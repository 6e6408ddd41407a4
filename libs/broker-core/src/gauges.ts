import type { ClusterBus, NodeGauges, NodeInfo, SessionCount } from '#libs/broker-ports';
import type { ProtocolVersion } from '#libs/mqtt-codec';
import { NO_BANS } from './bans.ts';
import type { ConnectionKeeper } from './connection-keeper.ts';
import type { NodeParts } from './parts.ts';
import type { Outbox } from './outbox.ts';
import type { Router } from './router.ts';
import type { Sessions } from './sessions.ts';

/** Adds up what a scrape wants to know: one pass over connections and one over sessions. */
export function gaugesOf(
  parts: NodeParts,
  own: {
    readonly sessions: Sessions;
    readonly router: Router;
    readonly keeper: ConnectionKeeper;
    readonly outbox: Pick<Outbox, 'backlog'>;
  },
): NodeGauges {
  const byListener = new Map<string, Map<ProtocolVersion, number>>();
  let slowConsumers = 0;
  let inflightIn = 0;
  for (const connection of own.keeper.all()) {
    if (!connection.isConnected) continue;
    const versions = byListener.get(connection.transport.listener) ?? new Map();
    byListener.set(connection.transport.listener, versions);
    versions.set(connection.version, (versions.get(connection.version) ?? 0) + 1);
    if (connection.isSlow) slowConsumers += 1;
    inflightIn += connection.entry?.session.inbound.pendingCount ?? 0;
  }
  const sessions = { connected: [0, 0], disconnected: [0, 0] };
  let inflightOut = 0;
  let queueMessages = 0;
  let queueBytes = 0;
  for (const entry of own.sessions.all()) {
    const state = entry.connection === undefined ? 'disconnected' : 'connected';
    const slot = entry.durable ? 1 : 0;
    sessions[state][slot] = (sessions[state][slot] ?? 0) + 1;
    const { outbound } = entry.session;
    inflightOut += outbound.inflightCount;
    queueMessages += entry.durable ? entry.queueMessages : outbound.queueCount;
    queueBytes += entry.durable ? entry.queueBytes : outbound.queueBytes;
  }
  const retained = parts.retained.size();
  const delayed = parts.delayed?.store.size();
  const nodes = parts.bus.nodes();
  const counts = (['connected', 'disconnected'] as const).flatMap((state) =>
    [false, true].map((persistent) => ({
      ...{ state, persistent },
      count: sessions[state][persistent ? 1 : 0] ?? 0,
    })),
  );
  parts.bus.describe?.(counts);
  return {
    connections: [...byListener].flatMap(([listener, versions]) =>
      [...versions].map(([version, count]) => ({ listener, version, count })),
    ),
    sessions: counts,
    clusterSessions: clusterSessionsOf(nodes, { self: parts.bus, counts }),
    clusterBacklog: own.outbox.backlog,
    subscriptions: own.router.counts,
    inflightIn,
    inflightOut,
    queueMessages,
    queueBytes,
    slowConsumers,
    retainedMessages: retained.messages,
    retainedBytes: retained.bytes,
    delayedMessages: delayed?.messages ?? 0,
    delayedBytes: delayed?.bytes ?? 0,
    bans: own.keeper.bans?.counts ?? NO_BANS,
    routeTableEntries: own.router.routes.size,
    clusterNodes: {
      alive: nodes.filter(({ state }) => state === 'alive').length,
      draining: nodes.filter(({ state }) => state === 'draining').length,
    },
  };
}

/** The node with the first id speaks for all, so that a sum over nodes is right; of others it knows what they have said with their leases. */
function clusterSessionsOf(
  nodes: readonly NodeInfo[],
  {
    self,
    counts,
  }: { readonly self: Pick<ClusterBus, 'self'>; readonly counts: readonly SessionCount[] },
): readonly SessionCount[] {
  // Without a lease it is nobody yet.
  const ownId = nodes.length === 0 ? undefined : self.self.nodeId;
  const speaks = ownId !== undefined && nodes.every(({ nodeId }) => ownId <= nodeId);
  const others = nodes.filter(({ nodeId }) => nodeId !== ownId);
  return counts.map(({ state, persistent, count }) => {
    const same = others
      .flatMap((node) => node.sessions ?? [])
      .filter((each) => each.state === state && each.persistent === persistent);
    const all = same.reduce((sum, each) => sum + each.count, count);
    return { state, persistent, count: speaks ? all : 0 };
  });
}
