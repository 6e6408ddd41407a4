import type { NodeGauges, NodeInfo, NodeTotals } from '#libs/broker-ports';
import { LOAD_MINUTES, LoadAverage } from './load-average.ts';

/** What a node says of itself at one moment. */
export interface SysSnapshot {
  readonly nodeId: string;
  /** Of the cluster, this one among them. */
  readonly nodes: readonly NodeInfo[];
  readonly uptimeMs: number;
  readonly gauges: NodeGauges;
  readonly totals: NodeTotals;
  /** Connections accepted, whatever became of them. */
  readonly sockets: number;
}

/** A topic and its value as text. */
export type SysValue = readonly [topic: string, text: string];

interface Counts {
  readonly connected: number;
  readonly disconnected: number;
  readonly sessions: number;
  readonly subscriptions: number;
  readonly stored: number;
  readonly storedBytes: number;
}

/** Turns what a node counts into the values of its `$SYS` topics: mosquitto's set, and EMQX's of a node. */
export class SysValues {
  #connectedMax = 0;
  readonly #loads = {
    'messages/received': new LoadAverage(),
    'messages/sent': new LoadAverage(),
    'publish/received': new LoadAverage(),
    'publish/sent': new LoadAverage(),
    'publish/dropped': new LoadAverage(),
    'bytes/received': new LoadAverage(),
    'bytes/sent': new LoadAverage(),
    sockets: new LoadAverage(),
    connections: new LoadAverage(),
  };

  /** @param seconds - since the last call; 0 at the first one. */
  of(snapshot: SysSnapshot, seconds: number): readonly SysValue[] {
    const counts = countsOf(snapshot.gauges);
    this.#connectedMax = Math.max(this.#connectedMax, counts.connected);
    if (seconds > 0) this.#updateLoads(snapshot, seconds);
    return [
      ...this.#asMosquitto(snapshot, counts),
      ...this.#loadsAsMosquitto(),
      ...this.#asEmqx(snapshot, counts),
    ];
  }

  #updateLoads({ totals, sockets }: SysSnapshot, seconds: number): void {
    const loads = this.#loads;
    loads['messages/received'].update(totals.packetsReceived, seconds);
    loads['messages/sent'].update(totals.packetsSent, seconds);
    loads['publish/received'].update(totals.publishReceived, seconds);
    loads['publish/sent'].update(totals.publishSent, seconds);
    loads['publish/dropped'].update(totals.queueFullDropped, seconds);
    loads['bytes/received'].update(totals.bytesReceived, seconds);
    loads['bytes/sent'].update(totals.bytesSent, seconds);
    loads.sockets.update(sockets, seconds);
    loads.connections.update(totals.connects, seconds);
  }

  #asMosquitto(snapshot: SysSnapshot, counts: Counts): readonly SysValue[] {
    const { uptimeMs, gauges, totals } = snapshot;
    const numbers: Readonly<Record<string, number>> = {
      'clients/total': counts.sessions,
      'clients/connected': counts.connected,
      'clients/active': counts.connected,
      'clients/disconnected': counts.disconnected,
      'clients/inactive': counts.disconnected,
      'clients/maximum': this.#connectedMax,
      'clients/expired': totals.sessionsExpired,
      'messages/received': totals.packetsReceived,
      'messages/sent': totals.packetsSent,
      'messages/inflight': gauges.inflightOut,
      'messages/stored': counts.stored,
      'store/messages/count': counts.stored,
      'store/messages/bytes': counts.storedBytes,
      'publish/messages/received': totals.publishReceived,
      'publish/messages/sent': totals.publishSent,
      'publish/messages/dropped': totals.queueFullDropped,
      'publish/bytes/received': totals.publishBytesReceived,
      'publish/bytes/sent': totals.publishBytesSent,
      'bytes/received': totals.bytesReceived,
      'bytes/sent': totals.bytesSent,
      'subscriptions/count': counts.subscriptions,
      'shared_subscriptions/count': gauges.subscriptions.shared,
      'retained messages/count': gauges.retainedMessages,
    };
    return [
      ['$SYS/broker/version', `skein version ${versionOf(snapshot)}`],
      ['$SYS/broker/uptime', `${String(Math.floor(uptimeMs / 1000))} seconds`],
      ...asTexts('$SYS/broker/', numbers),
    ];
  }

  #loadsAsMosquitto(): readonly SysValue[] {
    return Object.entries(this.#loads).flatMap(([name, { averages }]) =>
      LOAD_MINUTES.map((minutes, index): SysValue => {
        const topic = `$SYS/broker/load/${name}/${String(minutes)}min`;
        return [topic, (averages[index] ?? 0).toFixed(2)];
      }),
    );
  }

  #asEmqx(snapshot: SysSnapshot, counts: Counts): readonly SysValue[] {
    const { nodeId, nodes, uptimeMs, gauges, totals } = snapshot;
    const own = `$SYS/brokers/${nodeId}/`;
    const numbers: Readonly<Record<string, number>> = {
      'stats/connections/count': counts.connected,
      'stats/connections/max': this.#connectedMax,
      'stats/sessions/count': counts.sessions,
      'stats/subscriptions/count': counts.subscriptions,
      'stats/subscriptions/shared/count': gauges.subscriptions.shared,
      'stats/retained/count': gauges.retainedMessages,
      'stats/delayed/count': gauges.delayedMessages,
      'metrics/bytes/received': totals.bytesReceived,
      'metrics/bytes/sent': totals.bytesSent,
      'metrics/packets/received': totals.packetsReceived,
      'metrics/packets/sent': totals.packetsSent,
      'metrics/messages/received': totals.publishReceived,
      'metrics/messages/sent': totals.publishSent,
      'metrics/messages/dropped': totals.deliveriesDropped,
    };
    return [
      ['$SYS/brokers', nodes.map((node) => node.nodeId).join(',')],
      [`${own}version`, versionOf(snapshot)],
      [`${own}sysdescr`, 'Skein'],
      [`${own}uptime`, String(Math.floor(uptimeMs))],
      ...asTexts(own, numbers),
    ];
  }
}

function versionOf({ nodeId, nodes }: SysSnapshot): string {
  return nodes.find((node) => node.nodeId === nodeId)?.version ?? '';
}

function countsOf(gauges: NodeGauges): Counts {
  const counts = { connected: 0, disconnected: 0 };
  for (const { state, count } of gauges.sessions) counts[state] += count;
  const { plain, wildcard, shared } = gauges.subscriptions;
  return {
    ...counts,
    sessions: counts.connected + counts.disconnected,
    subscriptions: plain + wildcard + shared,
    stored: gauges.retainedMessages + gauges.queueMessages,
    storedBytes: Math.round(gauges.retainedBytes + gauges.queueBytes),
  };
}

function asTexts(prefix: string, numbers: Readonly<Record<string, number>>): readonly SysValue[] {
  return Object.entries(numbers).map(([name, value]) => [`${prefix}${name}`, String(value)]);
}
