import { beforeEach, describe, expect, it } from '@jest/globals';
import type { NodeGauges } from '#libs/broker-ports';
import { PACKET_NAMES, REASON, type ReasonName } from '#libs/mqtt-codec';
import { PromMeter } from './index.ts';
import { BROKER_COUNTERS, BROKER_GAUGES, BROKER_HISTOGRAMS } from './catalog.ts';
import { REDIS_OPERATIONS } from './broker-series.ts';

let meter: PromMeter;

beforeEach(() => {
  meter = new PromMeter({
    version: '1.2.3',
    cluster: 'c',
    nodeId: 'n1',
    listeners: [
      { name: 'tcp', connectionsMax: 10 },
      { name: 'ws', connectionsMax: 20 },
      { name: 'tls', connectionsMax: 30, isSecure: true },
    ],
    bridgeBufferBytesMax: 1_000,
    bridgeSpoolBytesMax: 2_000,
  });
});

const page = async (): Promise<string> => (await meter.expose()).body;
/** Those of garbage collection come with the first one of a kind, whenever that is. */
const seriesOf = (text: string): readonly string[] =>
  text.split('\n').filter((line) => line !== '' && !/^(?:#|nodejs_gc_)/.test(line));

it('serves others while it renders a scrape', async () => {
  let turns = 0;
  let isOver = false;
  const next = (): void => {
    turns += 1;
    if (!isOver) setImmediate(next);
  };
  setImmediate(next);
  const text = await page();
  isOver = true;
  expect(turns).toBeGreaterThan(5);
  expect(text.endsWith('\n')).toBe(true);
  expect(text).toMatch(/\n\n# HELP skein_broker_/);
});

describe('a fresh meter', () => {
  it('shows every family, and every counter at 0', async () => {
    meter.bridgeConnected('kafka', true);
    meter.bridgeRuleMatched('rule');
    const text = await page();

    for (const { name } of [
      ...Object.values(BROKER_COUNTERS),
      ...Object.values(BROKER_GAUGES),
      ...Object.values(BROKER_HISTOGRAMS),
    ]) {
      expect(text).toMatch(new RegExp(`^${name}(?:_bucket)?[ {]`, 'm'));
    }
    for (const packet of PACKET_NAMES) {
      expect(text).toContain(`skein_broker_packets_sent_total{type="${packet}"} 0`);
    }
    expect(text).toContain(
      'skein_broker_disconnects_total{listener="ws",initiator="server",reason="kicked"} 0',
    );
  });

  it('stays far below the budget of 1,500 series', async () => {
    expect(seriesOf(await page()).length).toBeLessThan(1_350);
  });

  it('knows the limit of listeners that are there, and of no other', async () => {
    meter.connectionsLimit('late', 7);
    const limits = async (): Promise<readonly string[]> =>
      seriesOf(await page()).filter((line) => line.startsWith('skein_broker_connections_limit{'));
    expect(await limits()).toContain('skein_broker_connections_limit{listener="late"} 7');
    const before = (await limits()).length;
    meter.listenerRemoved('late');
    meter.listenerRemoved('never-there');
    expect((await limits()).join()).not.toContain('late');
    expect(await limits()).toHaveLength(before - 1);
    meter.connectionsLimit('late', 9);
    expect(await limits()).toContain('skein_broker_connections_limit{listener="late"} 9');
  });

  it('says what it is', async () => {
    const text = await page();

    expect(text).toContain(
      `skein_broker_build_info{version="1.2.3",commit="unknown",node_version="${process.version}"} 1`,
    );
    expect(text).toContain('skein_broker_identity_info{cluster="c",node_id="n1"} 1');
    expect(text).toContain('skein_broker_connections_limit{listener="ws"} 20');
    expect(text).toMatch(/^skein_broker_heap_limit_bytes \d{6,}$/m);
  });

  it('knows its process, without the defaults that break the naming rules', async () => {
    const text = await page();

    for (const name of [
      'process_start_time_seconds',
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'process_open_fds',
      'process_max_fds',
      'nodejs_heap_size_used_bytes',
    ]) {
      expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
    }
    expect(text).toContain('# TYPE nodejs_gc_duration_seconds histogram');
    expect(text).not.toMatch(/nodejs_active_|eventloop_lag/);
  });
});

describe('counting', () => {
  it('moves the series of the call and no other', async () => {
    const before = new Set(seriesOf(await page()));
    meter.packetReceived('publish');
    meter.packetSent('puback', 3);
    meter.connectFinished('tcp', 5, 'badUserNameOrPassword');
    meter.deliveryDropped('cluster_error', 2);
    const moved = seriesOf(await page()).filter(
      (line) => line.startsWith('skein_') && !before.has(line) && !line.includes('event_loop'),
    );

    expect(moved.toSorted()).toEqual([
      'skein_broker_connects_total{listener="tcp",mqtt_version="5",outcome="client_error",reason="bad_user_name_or_password"} 1',
      'skein_broker_deliveries_dropped_total{reason="cluster_error",fault="server"} 2',
      'skein_broker_packets_received_total{type="publish"} 1',
      'skein_broker_packets_sent_total{type="puback"} 3',
    ]);
  });

  it('puts observations into cumulative buckets', async () => {
    for (const seconds of [0.0004, 0.2, 0.25, 99]) meter.delivered(1, 'local', seconds);
    const text = await page();
    const name = 'skein_broker_delivery_duration_seconds';

    expect(text).toContain(`${name}_bucket{le="0.0005",qos="1",path="local"} 1`);
    expect(text).toContain(`${name}_bucket{le="0.25",qos="1",path="local"} 3`);
    expect(text).toContain(`${name}_bucket{le="10",qos="1",path="local"} 3`);
    expect(text).toContain(`${name}_bucket{le="+Inf",qos="1",path="local"} 4`);
    expect(text).toContain(`${name}_count{qos="1",path="local"} 4`);
  });

  it('keeps its series for twenty thousand unknown values', async () => {
    const before = seriesOf(await page()).length;
    for (let index = 0; index < 20_000; index += 1) {
      meter.bytesReceived(`listener-${index}`, 1);
      meter.authenticated(`backend-${index}`, 'denied');
    }
    const text = await page();

    // Listeners may be made while a node runs, so some that nobody announced have a series.
    const further = 64;
    expect(seriesOf(text).length).toBe(before + further + 4);
    const others = 20_000 - further;
    expect(text).toContain(`skein_broker_received_bytes_total{listener="other"} ${others}`);
  });

  it('counts reason codes that an answer cannot have as other', async () => {
    for (const name of Object.keys(REASON) as ReasonName[]) {
      meter.connectFinished('tcp', 4, name);
      meter.subscribed(name);
    }
    const text = await page();

    expect(text).toMatch(/connects_total\{listener="tcp",.*reason="other"\} \d+/);
    expect(text).toContain(
      'skein_broker_subscribes_total{outcome="success",reason="granted_qos1"} 1',
    );
    expect(text).not.toMatch(/subscribes_total\{.*session_taken_over/);
  });

  it('caps bridges and rules at 200 each', async () => {
    for (let index = 0; index < 300; index += 1) {
      meter.bridgeRetried(`b${index}`);
      meter.bridgeRuleMatched(`r${index}`);
    }
    const text = await page();

    expect(text).toContain('skein_bridge_retries_total{bridge="b199"} 1');
    expect(text).toContain('skein_bridge_retries_total{bridge="other"} 100');
    expect(text).toContain('skein_bridge_rule_matches_total{rule="other"} 100');
  });
});

describe('gauges', () => {
  const NOW: NodeGauges = {
    connections: [{ listener: 'tcp', version: 4, count: 3 }],
    sessions: [{ state: 'disconnected', persistent: true, count: 5 }],
    subscriptions: { plain: 1, wildcard: 2, shared: 3 },
    inflightIn: 4,
    inflightOut: 5,
    queueMessages: 6,
    queueBytes: 7,
    slowConsumers: 8,
    retainedMessages: 9,
    retainedBytes: 10,
    delayedMessages: 12,
    delayedBytes: 13,
    bans: { client_id: 14, client_id_regex: 17, username: 15, address: 16 },
    routeTableEntries: 11,
    clusterNodes: { alive: 3, draining: 1 },
    clusterSessions: [{ state: 'connected', persistent: false, count: 21 }],
    clusterBacklog: { alive: 22, draining: 0, left: 23 },
  };

  it('are read when a scrape comes and not before', async () => {
    let reads = 0;
    meter.gauges(() => {
      reads += 1;
      return NOW;
    });

    expect(reads).toBe(0);
    const text = await page();

    expect(reads).toBe(1);
    expect(text).toContain('skein_broker_connections{listener="tcp",mqtt_version="3.1.1"} 3');
    expect(text).toContain('skein_broker_connections{listener="ws",mqtt_version="5"} 0');
    expect(text).toContain('skein_broker_sessions{state="disconnected",persistent="true"} 5');
    expect(text).toContain('skein_broker_subscriptions{kind="shared"} 3');
    expect(text).toContain('skein_broker_inflight_messages{direction="out"} 5');
    expect(text).toContain('skein_broker_cluster_nodes{state="alive"} 3');
    expect(text).toContain('skein_broker_route_table_entries 11');
    expect(text).toContain('skein_broker_delayed_messages 12');
    expect(text).toContain('skein_broker_bans{kind="address"} 16');
    expect(text).toContain(
      'skein_broker_cluster_sessions{state="connected",persistent="false"} 21',
    );
    expect(text).toContain('skein_broker_cluster_backlog_messages{peer_state="left"} 23');
  });

  it('show Redis and the bridge as they were told', async () => {
    meter.redisUp('commands', true);
    meter.bridgeConnected('kafka', true);
    meter.bridgeBuffer('kafka', 4, 400);
    meter.bridgeSpool('kafka', 5, 500);
    meter.bridgeSpoolUnclaimed(7);
    meter.bridgeHeld('kafka', 6);
    meter.bridgeHoldEnded('kafka', 'timed_out');
    meter.bridgeConsumerLag('kafka', 12);
    const text = await page();

    expect(text).toContain('skein_broker_redis_up{role="commands"} 1');
    expect(text).toContain('skein_broker_redis_up{role="subscriber"} 0');
    expect(text).toContain('skein_bridge_connected{bridge="kafka"} 1');
    expect(text).toContain('skein_bridge_buffer_bytes{bridge="kafka"} 400');
    expect(text).toContain('skein_bridge_buffer_limit_bytes{bridge="kafka"} 1000');
    expect(text).toContain('skein_bridge_spool_records{bridge="kafka"} 5');
    expect(text).toContain('skein_bridge_spool_bytes{bridge="kafka"} 500');
    expect(text).toContain('skein_bridge_spool_limit_bytes 2000');
    expect(text).toContain('skein_bridge_spool_unclaimed_records 7');
    expect(text).toContain('skein_bridge_held_records{bridge="kafka"} 6');
    expect(text).toContain('skein_bridge_holds_total{bridge="kafka",outcome="timed_out"} 1');
    expect(text).toContain('skein_bridge_consumer_lag_records{bridge="kafka"} 12');
  });
});

it('shows round trips to Redis that are under way', async () => {
  for (let count = 0; count < 3; count += 1) meter.redisCommandBegun();
  meter.redisCommand('lease', 'ok', 0.001);
  expect(await page()).toContain('skein_broker_redis_pool_waiting 2');
});

it('counts who is turned away and who is sent away, by the cause', async () => {
  for (const reason of ['connect_rate', 'address_rate', 'timeout'] as const) {
    meter.socketRejected('tcp', reason);
  }
  meter.connectThrottled('ws');
  for (const reason of ['drain', 'rebalance', 'kicked', 'normal'] as const) {
    meter.disconnected('tcp', 'server', reason);
  }
  meter.banHit('username');
  meter.authenticationDuration('password', 0.2);
  const text = await page();

  for (const [labels, value] of [
    ['connects_throttled_total{listener="tcp",limiter="listener"}', 1],
    ['connects_throttled_total{listener="tcp",limiter="ip"}', 1],
    ['connects_throttled_total{listener="tcp",limiter="global"}', 0],
    ['connects_throttled_total{listener="ws",limiter="global"}', 1],
    ['evictions_total{reason="drain"}', 1],
    ['evictions_total{reason="rebalance"}', 1],
    ['evictions_total{reason="admin"}', 1],
    ['ban_hits_total{kind="username"}', 1],
    ['ban_hits_total{kind="address"}', 0],
    ['authentication_duration_seconds_count{backend="password"}', 1],
    ['authentication_duration_seconds_count{backend="scram"}', 0],
  ] as const) {
    expect(text).toContain(`skein_broker_${labels} ${value}`);
  }
});

describe('totals', () => {
  it('add up what was counted, whatever its labels', () => {
    meter.connectFinished('tcp', 4, 'success');
    meter.connectFinished('ws', 5, 'notAuthorized');
    meter.packetReceived('connect');
    meter.packetReceived('publish');
    meter.packetSent('connack', 2);
    meter.bytesReceived('tcp', 10);
    meter.bytesReceived('ws', 5);
    meter.bytesSent('tcp', 7);
    for (const qos of [0, 1, 2] as const) meter.publishReceived(qos);
    meter.publishSent(1, 4);
    meter.messageSize('in', 100);
    meter.messageSize('out', 200);
    meter.deliveryDropped('queue_full', 2);
    meter.deliveryDropped('no_subscribers', 3);
    meter.sessionEvent('expired');

    expect(meter.totals()).toEqual({
      connects: 2,
      packetsReceived: 2,
      packetsSent: 2,
      bytesReceived: 15,
      bytesSent: 7,
      publishReceived: 3,
      publishSent: 4,
      publishBytesReceived: 100,
      publishBytesSent: 200,
      deliveriesDropped: 5,
      queueFullDropped: 2,
      sessionsExpired: 1,
    });
  });
});

describe('formats', () => {
  it('answers Prometheus text unless OpenMetrics is asked for', async () => {
    expect((await meter.expose()).contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect((await meter.expose('text/html,*/*;q=0.8')).contentType).toMatch(/^text\/plain/);
  });

  it('answers OpenMetrics with counters named without _total, no blank line and an end', async () => {
    const { contentType, body } = await meter.expose(
      'application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3',
    );

    expect(contentType).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
    expect(body.endsWith('\n# EOF\n')).toBe(true);
    expect(body).not.toMatch(/\n\n/);
    expect(body).toContain('# TYPE skein_broker_packets_received counter\n');
    expect(body).toContain('\nskein_broker_packets_received_total{type="auth"} 0\n');
  });
});

it('names every operation in Redis', async () => {
  for (const operation of REDIS_OPERATIONS) meter.redisCommand(operation, 'ok', 0.001);
  const text = await page();

  expect(text.match(/^skein_broker_redis_commands_total\{.*outcome="ok"\} 1$/gm)).toHaveLength(
    REDIS_OPERATIONS.length,
  );
  expect(text).not.toContain('operation="other"');
});

it('tells what became of batches for inboxes', async () => {
  for (const outcome of ['stored', 'full', 'full'] as const) meter.inboxAppended(outcome);
  const { body } = await meter.expose();
  expect(body).toContain('skein_broker_inbox_appends_total{outcome="stored"} 1\n');
  expect(body).toContain('skein_broker_inbox_appends_total{outcome="full"} 2\n');
  expect(body).toContain('skein_broker_inbox_appends_total{outcome="absent"} 0\n');
});

describe('how much a node has to do', () => {
  it('is told since the last call: the mean time of Redis, and the share of the spool', () => {
    meter.redisCommand('session_read', 'ok', 0.1);
    meter.redisCommand('lease', 'error', 0.3);
    meter.bridgeSpool('one', 1, 500);
    meter.bridgeSpool('other', 1, 500);
    meter.bridgeSpool('one', 1, 700);
    const { redisDelayMs, spoolShare } = meter.takeLoad();
    expect(redisDelayMs).toBeCloseTo(200);
    expect(spoolShare).toBe(0.6);
    expect(meter.takeLoad()).toEqual({ redisDelayMs: 0, spoolShare: 0.6 });
  });

  it('is shown as a level, and each level that is come to from below is counted', async () => {
    for (const level of [2, 1, 3, 0] as const) meter.overloaded(level);
    const text = await page();
    expect(text).toContain('skein_broker_overload_level 0');
    for (const [level, count] of [
      [1, 1],
      [2, 2],
      [3, 1],
    ]) {
      expect(text).toContain(`skein_broker_overloads_total{level="${level}"} ${count}`);
    }
  });

  it('is no cause of bans', async () => {
    meter.flapped('client_id');
    const text = await page();
    expect(text).toContain('skein_broker_flapping_total{kind="client_id"} 1');
    expect(text).toContain('skein_broker_flapping_total{kind="address"} 0');
  });

  it('is no cause of what a user has too much of', async () => {
    meter.quotaExceeded('queue');
    expect(await page()).toContain('skein_broker_user_quota_exceeded_total{kind="queue"} 1');
  });
});
