import type { Registry } from 'prom-client';
import type { NodeGauges } from '#libs/broker-ports';
import { ByLabel, OPEN_LABEL_MAX, OTHER } from './by-label.ts';
import { BROKER_GAUGES } from './catalog.ts';
import {
  BAN_KINDS,
  FURTHER_LISTENERS_MAX,
  VERSIONS,
  VERSION_LABELS,
  type LabelSets,
} from './broker-series.ts';
import { gaugeFamilies, type Cell, type Family } from './family.ts';

type Gauges = Readonly<Record<keyof typeof BROKER_GAUGES, Family>>;

const PEER_STATES = ['alive', 'draining', 'left'] as const;

/** Makes every gauge of a node, at 0. */
export function brokerGauges(
  registry: Registry,
  { listeners, secure }: Pick<LabelSets, 'listeners' | 'secure'>,
) {
  const gauges = gaugeFamilies(registry, BROKER_GAUGES);
  const listenersMax = listeners.length + FURTHER_LISTENERS_MAX;
  return {
    info: { build: gauges.buildInfo, identity: gauges.identityInfo },
    connectionsLimit: new ByLabel(
      listeners,
      (listener) => gauges.connectionsLimit.cell({ listener }),
      listenersMax,
    ),
    dropConnectionsLimit: (cell: Cell) => gauges.connectionsLimit.remove(cell),
    certificateUntil: new ByLabel(
      secure,
      (listener) => gauges.certificateUntil.cell({ listener }),
      listenersMax,
    ),
    show: nodeGauges(gauges, listeners),
    routeTableLag: gauges.routeTableLag.cell(),
    redisWaiting: gauges.redisWaiting.cell(),
    redisUp: gauges.redisUp.by('role', ['commands', 'subscriber', 'store']),
    eventLoopUtilization: gauges.eventLoopUtilization.cell(),
    heapLimit: gauges.heapLimit.cell(),
    configReloadedAt: gauges.configReloadedAt.cell(),
    overloadLevel: gauges.overloadLevel.cell(),
    draining: gauges.draining.cell(),
    drainRemaining: gauges.drainRemaining.cell(),
    bridgeSpoolLimit: gauges.bridgeSpoolLimit.cell(),
    bridgeSpoolUnclaimed: gauges.bridgeSpoolUnclaimed.cell(),
    bridges: new ByLabel<string, ReturnType<typeof bridge>>([], bridge, OPEN_LABEL_MAX),
  };

  function bridge(name: string) {
    return {
      connected: gauges.bridgeConnected.cell({ bridge: name }),
      bufferBytes: gauges.bridgeBufferBytes.cell({ bridge: name }),
      bufferLimit: gauges.bridgeBufferLimit.cell({ bridge: name }),
      bufferRecords: gauges.bridgeBufferRecords.cell({ bridge: name }),
      spoolBytes: gauges.bridgeSpoolBytes.cell({ bridge: name }),
      spoolRecords: gauges.bridgeSpoolRecords.cell({ bridge: name }),
      heldRecords: gauges.bridgeHeldRecords.cell({ bridge: name }),
      consumerLag: gauges.bridgeConsumerLag.cell({ bridge: name }),
    };
  }
}

/** Returns the function that writes a snapshot of the node into its gauges. */
function nodeGauges(gauges: Gauges, listeners: readonly string[]): (now: NodeGauges) => void {
  const connections = new ByLabel(
    listeners,
    (listener) =>
      new ByLabel(VERSIONS, (version) =>
        gauges.connections.cell({
          listener,
          mqtt_version: version === OTHER ? OTHER : VERSION_LABELS[version],
        }),
      ),
    listeners.length + FURTHER_LISTENERS_MAX,
  );
  const sessions = new ByLabel(['connected', 'disconnected'] as const, (state) =>
    gauges.sessions.by('persistent', ['true', 'false'], { state }),
  );
  const clusterSessions = new ByLabel(['connected', 'disconnected'] as const, (state) =>
    gauges.clusterSessions.by('persistent', ['true', 'false'], { state }),
  );
  const clusterBacklog = gauges.clusterBacklog.by('peer_state', PEER_STATES);
  const subscriptions = gauges.subscriptions.by('kind', ['plain', 'wildcard', 'shared']);
  const inflight = gauges.inflightMessages.by('direction', ['in', 'out']);
  const clusterNodes = gauges.clusterNodes.by('state', ['alive', 'draining']);
  const bans = gauges.bans.by('kind', BAN_KINDS);
  const single = {
    queueMessages: gauges.queueMessages.cell(),
    queueBytes: gauges.queueBytes.cell(),
    slowConsumers: gauges.slowConsumers.cell(),
    retainedMessages: gauges.retainedMessages.cell(),
    retainedBytes: gauges.retainedBytes.cell(),
    delayedMessages: gauges.delayedMessages.cell(),
    delayedBytes: gauges.delayedBytes.cell(),
    routeTableEntries: gauges.routeTableEntries.cell(),
  };
  return (now) => {
    for (const { listener, version, count } of now.connections) {
      connections.get(listener).get(version).value = count;
    }
    for (const { state, persistent, count } of now.sessions) {
      sessions.get(state).get(persistent ? 'true' : 'false').value = count;
    }
    for (const { state, persistent, count } of now.clusterSessions) {
      clusterSessions.get(state).get(persistent ? 'true' : 'false').value = count;
    }
    for (const state of PEER_STATES) clusterBacklog.get(state).value = now.clusterBacklog[state];
    for (const kind of ['plain', 'wildcard', 'shared'] as const) {
      subscriptions.get(kind).value = now.subscriptions[kind];
    }
    for (const kind of BAN_KINDS) bans.get(kind).value = now.bans[kind];
    inflight.get('in').value = now.inflightIn;
    inflight.get('out').value = now.inflightOut;
    clusterNodes.get('alive').value = now.clusterNodes.alive;
    clusterNodes.get('draining').value = now.clusterNodes.draining;
    single.queueMessages.value = now.queueMessages;
    single.queueBytes.value = now.queueBytes;
    single.slowConsumers.value = now.slowConsumers;
    single.retainedMessages.value = now.retainedMessages;
    single.retainedBytes.value = now.retainedBytes;
    single.delayedMessages.value = now.delayedMessages;
    single.delayedBytes.value = now.delayedBytes;
    single.routeTableEntries.value = now.routeTableEntries;
  };
}
