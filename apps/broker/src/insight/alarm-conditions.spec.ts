import { describe, expect, it } from '@jest/globals';
import { ALARM_NAMES } from '#libs/api-contracts';
import { CAUSES } from '#libs/monitoring';
import { AlarmConditions, type AlarmSources } from './alarm-conditions.ts';

const DAY_MS = 86_400_000;

/** Those for which Prometheus has no alert. */
const OWN = [
  'SkeinBrokerClusterOutOfDate',
  'SkeinBrokerListenerFailed',
  'SkeinBrokerOverloaded',
  'SkeinBrokerSlowSubscribers',
  'SkeinBrokerDiskNearlyFull',
  'SkeinBridgeSpoolNearlyFull',
];

const WELL: AlarmSources = {
  reachesRedis: () => true,
  isCurrent: () => true,
  overloadLevel: () => 0,
  gauges: () => ({ connections: [{ listener: 'tcp', version: 5, count: 85 }], slowConsumers: 0 }),
  dropped: () => 0,
  listeners: () => [{ name: 'tcp', state: 'listening', connectionsMax: 100 }],
  certificates: () => [{ listener: 'tls', subject: 'CN=a', notAfterMs: 15 * DAY_MS }],
  bridges: () => [{ id: 'main', state: 'connected' }],
  spoolShare: () => 0.5,
  heapShare: () => 0.5,
  diskFreeShare: () => undefined,
  nowMs: () => 0,
};

function namesOf(change: Partial<AlarmSources>): readonly string[] {
  const found = new AlarmConditions({ ...WELL, ...change }).find();
  return found.map(({ name, subject, severity }) => `${severity} ${name} ${subject}`.trim());
}

describe('AlarmConditions', () => {
  it('finds nothing at a node that is well', () => {
    expect(namesOf({})).toEqual([]);
  });

  it.each<[string, Partial<AlarmSources>]>([
    ['critical SkeinBrokerRedisUnavailable', { reachesRedis: () => false, isCurrent: () => false }],
    ['warning SkeinBrokerClusterOutOfDate', { isCurrent: () => false }],
    ['warning SkeinBrokerOverloaded', { overloadLevel: () => 1 }],
    ['critical SkeinBrokerOverloaded', { overloadLevel: () => 3 }],
    ['warning SkeinBrokerHeapNearLimit', { heapShare: () => 0.91 }],
    ['critical SkeinBrokerDiskNearlyFull', { diskFreeShare: () => 0.04 }],
    [
      'warning SkeinBrokerConnectionCapacity',
      {
        gauges: () => ({
          ...{ connections: [{ listener: 'tcp', version: 5, count: 86 }], slowConsumers: 0 },
        }),
      },
    ],
    [
      'warning SkeinBrokerSlowSubscribers',
      { gauges: () => ({ connections: [], slowConsumers: 1 }) },
    ],
    [
      'critical SkeinBrokerListenerFailed ws',
      { listeners: () => [{ name: 'ws', state: 'failed', connectionsMax: 1_000 }] },
    ],
    [
      'critical SkeinBridgeDown main',
      {
        bridges: () => [
          { id: 'main', state: 'disconnected' },
          { id: 'b', state: 'stopped' },
        ],
      },
    ],
    ['warning SkeinBridgeSpoolNearlyFull', { spoolShare: () => 0.81 }],
  ])('finds %s', (expected, change) => {
    expect(namesOf(change)).toEqual([expected]);
  });

  it('finds the first certificate of a listener that ends, and says when it has', () => {
    const certificates = () =>
      [13, 3, 14].map((days) => ({
        ...{ listener: 'tls', subject: 'CN=a', notAfterMs: days * DAY_MS },
      }));
    const conditions = new AlarmConditions({ ...WELL, certificates }).find();
    expect(conditions).toEqual([
      {
        ...{ name: 'SkeinBrokerCertificateExpiry', subject: 'tls', severity: 'warning' },
        summary: 'The certificate of CN=a ends at 1970-01-04T00:00:00.000Z',
      },
    ]);
    expect(namesOf({ certificates, nowMs: () => 4 * DAY_MS })).toEqual([
      'critical SkeinBrokerCertificateExpiry tls',
    ]);
  });

  it('finds drops by how many there are each second', () => {
    let [nowMs, dropped] = [0, 100];
    const conditions = new AlarmConditions({ ...WELL, nowMs: () => nowMs, dropped: () => dropped });
    expect(conditions.find()).toEqual([]);
    nowMs += 2_000;
    dropped += 2;
    expect(conditions.find()).toEqual([]);
    nowMs += 2_000;
    dropped += 3;
    expect(conditions.find()).toMatchObject([{ name: 'SkeinBrokerDeliveriesDropped' }]);
  });

  it('has the names that alerts have', () => {
    const alerts = new Set(CAUSES.map(({ name }) => name));
    expect(ALARM_NAMES.filter((name) => !alerts.has(name)).toSorted()).toEqual(OWN.toSorted());
  });
});
