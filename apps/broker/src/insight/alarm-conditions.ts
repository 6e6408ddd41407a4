import type { WireCertificate } from '#libs/api-contracts';
import type { NodeGauges } from '#libs/broker-ports';
import type { AlarmCondition } from './alarm-book.ts';

/** As the alerts of the same names. */
const CONNECTION_RATIO = 0.85;
const HEAP_RATIO = 0.9;
const CERTIFICATE_MS = 14 * 86_400_000;
const DROPS_PER_SECOND = 1;

const SPOOL_RATIO = 0.8;
const DISK_FREE_RATIO = 0.05;

/** What is looked at. */
export interface AlarmSources {
  readonly reachesRedis: () => boolean;
  /** Whether the node knows the routes of the others. */
  readonly isCurrent: () => boolean;
  readonly overloadLevel: () => number;
  /** Not older than some seconds. */
  readonly gauges: () => Pick<NodeGauges, 'connections' | 'slowConsumers'>;
  /** Deliveries that were dropped since the start because a queue was full, or a socket. */
  readonly dropped: () => number;
  readonly listeners: () => readonly {
    readonly name: string;
    readonly state: string;
    readonly connectionsMax: number;
    readonly lastError?: string | undefined;
  }[];
  readonly certificates: () => readonly Pick<
    WireCertificate,
    'listener' | 'subject' | 'notAfterMs'
  >[];
  readonly bridges: () => readonly {
    readonly id: string;
    readonly state: string;
    readonly lastError?: string | undefined;
  }[];
  /** Shares of what there is: 0 to 1. */
  readonly spoolShare: () => number;
  readonly heapShare: () => number;
  /** Undefined where no data is kept on a disk. */
  readonly diskFreeShare: () => number | undefined;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

/** Looks at a node, and finds what is wrong. */
export class AlarmConditions {
  readonly #sources: AlarmSources;
  #drops: { readonly count: number; readonly atMs: number } | undefined;

  constructor(sources: AlarmSources) {
    this.#sources = sources;
  }

  /** What is wrong now. */
  find(): readonly AlarmCondition[] {
    return [
      ...this.#cluster(),
      ...this.#load(),
      ...this.#listeners(),
      ...this.#deliveries(),
      ...this.#bridges(),
    ];
  }

  #cluster(): readonly AlarmCondition[] {
    const { reachesRedis, isCurrent } = this.#sources;
    if (!reachesRedis()) {
      const summary =
        'Redis does not answer: messages of durable sessions are not acknowledged, and none cross nodes';
      return [own('SkeinBrokerRedisUnavailable', 'critical', summary)];
    }
    if (isCurrent()) return [];
    return [
      own('SkeinBrokerClusterOutOfDate', 'warning', 'The routes of other nodes are not known'),
    ];
  }

  #load(): readonly AlarmCondition[] {
    const { overloadLevel, heapShare, diskFreeShare, gauges, listeners } = this.#sources;
    const found: AlarmCondition[] = [];
    const level = overloadLevel();
    if (level > 0) {
      const severity = level >= 3 ? 'critical' : 'warning';
      found.push(own('SkeinBrokerOverloaded', severity, `Overload level ${String(level)} of 3`));
    }
    if (heapShare() > HEAP_RATIO) {
      const summary = `${percent(heapShare())} of the heap are in use`;
      found.push(own('SkeinBrokerHeapNearLimit', 'warning', summary));
    }
    const free = diskFreeShare();
    if (free !== undefined && free < DISK_FREE_RATIO) {
      const summary = `${percent(free)} of the disk with the data are free`;
      found.push(own('SkeinBrokerDiskNearlyFull', 'critical', summary));
    }
    const count = gauges().connections.reduce((sum, each) => sum + each.count, 0);
    const limit = listeners().reduce((sum, { connectionsMax }) => sum + connectionsMax, 0);
    if (limit > 0 && count / limit > CONNECTION_RATIO) {
      const summary = `${String(count)} of ${String(limit)} connections`;
      found.push(own('SkeinBrokerConnectionCapacity', 'warning', summary));
    }
    return found;
  }

  #listeners(): readonly AlarmCondition[] {
    const { listeners, certificates, nowMs } = this.#sources;
    const failed = listeners()
      .filter(({ state }) => state === 'failed')
      .map(({ name, lastError = 'it does not listen' }): AlarmCondition => ({
        ...{ name: 'SkeinBrokerListenerFailed', subject: name, severity: 'critical' },
        summary: `The listener has failed: ${lastError}`,
      }));
    const first = new Map<string, { readonly endMs: number; readonly condition: AlarmCondition }>();
    for (const { listener, subject, notAfterMs } of certificates()) {
      if (notAfterMs - nowMs() >= CERTIFICATE_MS) continue;
      if ((first.get(listener)?.endMs ?? Infinity) <= notAfterMs) continue;
      const isOver = notAfterMs <= nowMs();
      const condition: AlarmCondition = {
        ...{ name: 'SkeinBrokerCertificateExpiry', subject: listener },
        severity: isOver ? 'critical' : 'warning',
        summary: `The certificate of ${subject} ${isOver ? 'has ended' : 'ends'} at ${new Date(notAfterMs).toISOString()}`,
      };
      first.set(listener, { endMs: notAfterMs, condition });
    }
    return [...failed, ...[...first.values()].map(({ condition }) => condition)];
  }

  #deliveries(): readonly AlarmCondition[] {
    const { dropped, gauges, nowMs } = this.#sources;
    const before = this.#drops;
    const now = { count: dropped(), atMs: nowMs() };
    this.#drops = now;
    const found: AlarmCondition[] = [];
    const seconds = before === undefined ? 0 : (now.atMs - before.atMs) / 1_000;
    const perSecond = seconds > 0 ? (now.count - (before?.count ?? 0)) / seconds : 0;
    if (perSecond > DROPS_PER_SECOND) {
      const summary = `${perSecond.toFixed(1)} deliveries each second are dropped: queues or sockets are full`;
      found.push(own('SkeinBrokerDeliveriesDropped', 'warning', summary));
    }
    const { slowConsumers } = gauges();
    if (slowConsumers > 0) {
      const summary = `${String(slowConsumers)} clients do not take what is sent; the list of clients by unsent_bytes names them`;
      found.push(own('SkeinBrokerSlowSubscribers', 'warning', summary));
    }
    return found;
  }

  #bridges(): readonly AlarmCondition[] {
    const { bridges, spoolShare } = this.#sources;
    const down = bridges()
      .filter(({ state }) => state === 'disconnected')
      .map(({ id, lastError = 'not connected' }): AlarmCondition => ({
        ...{ name: 'SkeinBridgeDown', subject: id, severity: 'critical' },
        summary: `The bridge has no connection: ${lastError}`,
      }));
    const share = spoolShare();
    if (share <= SPOOL_RATIO) return down;
    const summary = `${percent(share)} of the spool are taken`;
    return [...down, own('SkeinBridgeSpoolNearlyFull', 'warning', summary)];
  }
}

function own(
  name: AlarmCondition['name'],
  severity: AlarmCondition['severity'],
  summary: string,
): AlarmCondition {
  return { name, subject: '', severity, summary };
}

function percent(share: number): string {
  return `${String(Math.round(share * 100))} %`;
}
