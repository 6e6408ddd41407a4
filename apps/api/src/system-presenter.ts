import type {
  CertificateView,
  NodeListenersView,
  NodeStatsView,
  WireCertificate,
  WireListener,
  WireNodeStats,
} from '#libs/api-contracts';

const VERSIONS = { 3: '3.1', 4: '3.1.1', 5: '5' } as const;

/** A node in figures as the API shows it. */
export function presentStats(node: string, stats: WireNodeStats): NodeStatsView {
  return {
    node,
    uptime_seconds: stats.uptimeMs / 1_000,
    resident_bytes: stats.residentBytes,
    heap_used_bytes: stats.heapUsedBytes,
    heap_limit_bytes: stats.heapLimitBytes,
    cpu_seconds: stats.cpuSeconds,
    overload_level: stats.overloadLevel,
    connections: stats.connections.map(({ listener, version, count }) => ({
      ...{ listener, mqtt_version: VERSIONS[version], count },
    })),
    sessions: stats.sessions.map(({ state, persistent, count }) => ({ state, persistent, count })),
    subscriptions: { ...stats.subscriptions },
    inflight_received: stats.inflightIn,
    inflight_sent: stats.inflightOut,
    queue_messages: stats.queueMessages,
    queue_bytes: stats.queueBytes,
    slow_consumers: stats.slowConsumers,
    retained_messages: stats.retainedMessages,
    retained_bytes: stats.retainedBytes,
    delayed_messages: stats.delayedMessages,
    delayed_bytes: stats.delayedBytes,
    messages_received: stats.messagesReceived,
    messages_sent: stats.messagesSent,
  };
}

/** A listener of a node as the API shows it. */
export function presentListener({
  name,
  type,
  state,
  address,
  connections,
  connectionsMax,
  lastError,
}: WireListener): NodeListenersView['listeners'][number] {
  const limits = { connections, connections_max: connectionsMax };
  return { id: name, type, state, address, ...limits, last_error: lastError ?? null };
}

/** A certificate of a node as the API shows it. */
export function presentCertificate(node: string, wire: WireCertificate): CertificateView {
  const { listener, names, subject, issuer, serialNumber, fingerprint } = wire;
  return {
    ...{ node, listener, names: [...names], subject, issuer },
    serial_number: serialNumber,
    fingerprint,
    not_before: new Date(wire.notBeforeMs).toISOString(),
    expires_at: new Date(wire.notAfterMs).toISOString(),
  };
}
