import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Message, NodeGauges, NodeInfo, NodeTotals } from '#libs/broker-ports';
import { messageOf } from '#libs/testkit';
import { LoadAverage } from './load-average.ts';
import { SysTopics, isSysFilter } from './sys-topics.ts';

const GAUGES: NodeGauges = {
  connections: [],
  sessions: [
    { state: 'connected', persistent: true, count: 3 },
    { state: 'connected', persistent: false, count: 4 },
    { state: 'disconnected', persistent: true, count: 5 },
    { state: 'disconnected', persistent: false, count: 0 },
  ],
  subscriptions: { plain: 10, wildcard: 20, shared: 30 },
  inflightIn: 1,
  inflightOut: 2,
  queueMessages: 6,
  queueBytes: 60.4,
  slowConsumers: 0,
  retainedMessages: 7,
  retainedBytes: 70,
  delayedMessages: 8,
  delayedBytes: 80,
  bans: { client_id: 0, client_id_regex: 0, username: 0, address: 0 },
  routeTableEntries: 0,
  clusterNodes: { alive: 2, draining: 0 },
  clusterSessions: [],
  clusterBacklog: { alive: 0, draining: 0, left: 0 },
};
const TOTALS: NodeTotals = {
  connects: 11,
  packetsReceived: 12,
  packetsSent: 13,
  bytesReceived: 14,
  bytesSent: 15,
  publishReceived: 16,
  publishSent: 17,
  publishBytesReceived: 18,
  publishBytesSent: 19,
  deliveriesDropped: 20,
  queueFullDropped: 21,
  sessionsExpired: 22,
};

let gauges: NodeGauges;
let totals: NodeTotals;
let published: Message[];
let sys: SysTopics;
let options: { intervalMs: number };

beforeEach(() => {
  gauges = GAUGES;
  totals = TOTALS;
  published = [];
  options = { intervalMs: 10_000 };
  sys = new SysTopics({
    get intervalMs() {
      return options.intervalMs;
    },
    snapshot: (nowMs) => ({
      ...{ nodeId: 'n1', uptimeMs: nowMs, nodes: ['n1', 'n2'].map(nodeInfo) },
      ...{ gauges, totals, sockets: 23 },
    }),
    identify: ({ topic, payload, qos, retain }) => messageOf({ topic, payload, qos, retain }),
    publish: (message) => published.push(message),
  });
});

function nodeInfo(nodeId: string): NodeInfo {
  return { nodeId, incarnation: 1, version: '1.2.3', startedAtMs: 0, state: 'alive' };
}

function textOf({ payload }: Message): string {
  return Buffer.from(payload).toString();
}

function values(messages: readonly Message[]): Record<string, string> {
  return Object.fromEntries(messages.map((message) => [message.topic, textOf(message)]));
}

describe('the $SYS topics', () => {
  it('are those of mosquitto', () => {
    sys.sweep(90_500);
    expect(values(published)).toMatchObject({
      '$SYS/broker/version': 'skein version 1.2.3',
      '$SYS/broker/uptime': '90 seconds',
      '$SYS/broker/clients/total': '12',
      '$SYS/broker/clients/connected': '7',
      '$SYS/broker/clients/disconnected': '5',
      '$SYS/broker/clients/maximum': '7',
      '$SYS/broker/clients/expired': '22',
      '$SYS/broker/messages/received': '12',
      '$SYS/broker/messages/sent': '13',
      '$SYS/broker/messages/stored': '13',
      '$SYS/broker/messages/inflight': '2',
      '$SYS/broker/store/messages/bytes': '130',
      '$SYS/broker/publish/messages/received': '16',
      '$SYS/broker/publish/messages/sent': '17',
      '$SYS/broker/publish/messages/dropped': '21',
      '$SYS/broker/publish/bytes/received': '18',
      '$SYS/broker/publish/bytes/sent': '19',
      '$SYS/broker/bytes/received': '14',
      '$SYS/broker/bytes/sent': '15',
      '$SYS/broker/subscriptions/count': '60',
      '$SYS/broker/shared_subscriptions/count': '30',
      '$SYS/broker/retained messages/count': '7',
      '$SYS/broker/load/publish/received/15min': '0.00',
    });
  });

  it('are those of a node of EMQX', () => {
    sys.sweep(90_500);
    expect(values(published)).toMatchObject({
      '$SYS/brokers': 'n1,n2',
      '$SYS/brokers/n1/version': '1.2.3',
      '$SYS/brokers/n1/uptime': '90500',
      '$SYS/brokers/n1/sysdescr': 'Skein',
      '$SYS/brokers/n1/stats/connections/count': '7',
      '$SYS/brokers/n1/stats/subscriptions/shared/count': '30',
      '$SYS/brokers/n1/metrics/messages/dropped': '20',
    });
  });

  it('are retained messages of QoS 0 for those who subscribe', () => {
    sys.sweep(1000);
    expect(published.every(({ qos, retain }) => qos === 0 && retain)).toBe(true);
    expect(values(sys.match('$SYS/broker/clients/+'))).toMatchObject({
      '$SYS/broker/clients/connected': '7',
    });
    expect(sys.match('$SYS/broker/clients/+')).toHaveLength(7);
    expect(sys.match('$SYS/#')).toHaveLength(published.length);
    expect(sys.match('$SYS/none')).toEqual([]);
  });

  it('are published once an interval, and only if they have changed', () => {
    sys.sweep(1000);
    const all = published.splice(0);
    sys.sweep(10_999);
    expect(published).toEqual([]);
    totals = { ...TOTALS, publishSent: 18 };
    sys.sweep(11_000);
    const changed = Object.keys(values(published));
    expect(changed).toContain('$SYS/broker/publish/messages/sent');
    expect(changed).toContain('$SYS/broker/uptime');
    expect(changed).not.toContain('$SYS/broker/version');
    expect(changed.length).toBeLessThan(all.length);
    expect(sys.match('$SYS/#')).toHaveLength(all.length);
  });

  it('remember the most clients that were connected', () => {
    sys.sweep(0);
    gauges = { ...GAUGES, sessions: [] };
    sys.sweep(10_000);
    expect(values(sys.match('$SYS/broker/clients/+'))).toMatchObject({
      '$SYS/broker/clients/connected': '0',
      '$SYS/broker/clients/maximum': '7',
    });
  });

  it('go on when the clock is set back', () => {
    sys.sweep(1_000_000);
    published.length = 0;
    sys.sweep(1000);
    expect(published.length).toBeGreaterThan(0);
  });

  it('are told from other topics by their filter', () => {
    expect(['$SYS/#', '$SYS/a'].every(isSysFilter)).toBe(true);
    expect(['$SYS', '$SYSTEM/#', '+/a', '#', '$share/g/$SYS/#'].some(isSysFilter)).toBe(false);
  });
});

describe('a load average', () => {
  it('comes to what happens in a minute, the sooner the shorter it is', () => {
    const load = new LoadAverage();
    for (let minute = 1; minute <= 5; minute += 1) load.update(minute * 120, 60);
    const [one = 0, five = 0, fifteen = 0] = load.averages;
    expect(one).toBeCloseTo(120 * (1 - Math.exp(-5)), 6);
    expect(five).toBeCloseTo(120 * (1 - Math.exp(-1)), 6);
    expect(fifteen).toBeCloseTo(120 * (1 - Math.exp(-1 / 3)), 6);
  });

  it('does not depend on how often it is updated', () => {
    const often = new LoadAverage();
    const seldom = new LoadAverage();
    for (let second = 1; second <= 60; second += 1) often.update(second * 2, 1);
    seldom.update(120, 60);
    for (const [index, average] of often.averages.entries()) {
      expect(average).toBeCloseTo(seldom.averages[index] ?? -1, 6);
    }
  });

  it('fades when nothing happens', () => {
    const load = new LoadAverage();
    load.update(600, 60);
    const before = [...load.averages];
    load.update(600, 600);
    expect(load.averages[0]).toBeLessThan(0.1);
    expect(load.averages[2]).toBeCloseTo((before[2] ?? 0) * Math.exp(-2 / 3), 6);
  });
});

it('says nothing while its interval is 0, and forgets what it has said', () => {
  sys.sweep(1_000);
  expect(sys.match('$SYS/#')).not.toEqual([]);
  options.intervalMs = 0;
  sys.sweep(2_000);
  expect(sys.match('$SYS/#')).toEqual([]);
  const before = published.length;
  sys.sweep(20_000);
  expect(published).toHaveLength(before);
  options.intervalMs = 5_000;
  sys.sweep(21_000);
  expect(sys.match('$SYS/#')).not.toEqual([]);
});
