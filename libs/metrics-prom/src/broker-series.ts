import type { Registry } from 'prom-client';
import type {
  BridgeDirection,
  BridgeHoldEnd,
  BridgeRecordCount,
  BridgeStage,
  RedisOperation,
} from '#libs/broker-ports';
import type {
  DisconnectReason,
  DropReason,
  HeldReason,
  PublishRejection,
  SocketRejection,
} from '#libs/broker-ports';
import { PACKET_NAMES, type ProtocolVersion, type QoS } from '#libs/mqtt-codec';
import { ByLabel, OPEN_LABEL_MAX, OTHER } from './by-label.ts';
import { BROKER_COUNTERS, BROKER_HISTOGRAMS } from './catalog.ts';
import { counterFamilies, histogramFamilies, type Family } from './family.ts';
import { CONNACK_REASONS, SUBACK_REASONS, UNSUBACK_REASONS, reasonLabels } from './reason-label.ts';

/** The label value of each version of the protocol. */
export const VERSION_LABELS: Readonly<Record<ProtocolVersion, string>> = {
  3: '3.1',
  4: '3.1.1',
  5: '5',
};

/** What bans are on. */
export const BAN_KINDS = ['client_id', 'client_id_regex', 'username', 'address'] as const;

/** The versions of the protocol. */
export const VERSIONS: readonly ProtocolVersion[] = [3, 4, 5];

const QOS: readonly QoS[] = [0, 1, 2];
const QOS_ACKNOWLEDGED: readonly QoS[] = [1, 2];

const DISCONNECT_REASONS: readonly DisconnectReason[] = [
  'normal',
  'with_will',
  'keepalive_timeout',
  'taken_over',
  'kicked',
  'banned',
  'shutdown',
  'drain',
  'rebalance',
  'quota',
  'protocol_error',
  'malformed_packet',
  'packet_too_large',
  'connect_timeout',
  'authentication_failed',
  'credential_expired',
  'login_revoked',
  'storage_unavailable',
  'lease_lost',
  'network',
  'other',
];

const SOCKET_REJECTIONS: readonly SocketRejection[] = [
  'max_connections',
  'tls_error',
  'draining',
  'timeout',
  'proxy_untrusted',
  'proxy_header',
  'connect_rate',
  'address_rate',
];

const HELD_REASONS: readonly HeldReason[] = [
  'window',
  'output',
  'requests',
  'share',
  'rate',
  'overload',
];

const OVERLOAD_LEVELS = ['1', '2', '3'];

const REJECTIONS: readonly PublishRejection[] = [
  'acl',
  'quota',
  'too_large',
  'topic_invalid',
  'receive_maximum',
  'payload_format',
];

/** Whose doing a drop was: only the server's counts against the delivery objective. */
const DROP_FAULTS: Readonly<Record<DropReason, 'client' | 'server'>> = {
  no_subscribers: 'client',
  queue_full: 'client',
  expired: 'client',
  too_large: 'client',
  no_local: 'client',
  outside_mountpoint: 'client',
  not_authorized: 'client',
  quota: 'client',
  session_gone: 'client',
  overload: 'server',
  cluster_error: 'server',
};

/** The operations in Redis that have series. */
export const REDIS_OPERATIONS: readonly RedisOperation[] = [
  'session_take',
  'session_write',
  'session_read',
  'retained_write',
  'retained_read',
  'inbox_append',
  'inbox_read',
  'live_publish',
  'lease',
  'routes',
  'rules',
  'delayed',
  'exclusive',
  'dead_letters',
];

const BRIDGE_HOLD_ENDS: readonly BridgeHoldEnd[] = ['drained', 'node_gone', 'timed_out'];
const BRIDGE_DIRECTIONS: readonly BridgeDirection[] = [
  'mqtt_to_kafka',
  'kafka_to_mqtt',
  'mqtt_to_webhook',
  'mqtt_to_rabbitmq',
];
const BRIDGE_FAILURES: readonly BridgeRecordCount['reason'][] = [
  'timeout',
  'buffer_full',
  'too_large',
  'where_error',
  'value_error',
  'template_error',
  'schema_error',
  'invalid_topic',
  'not_authorized',
  'unknown_topic',
  'spool_full',
  'spool_failed',
  'spool_damaged',
  'dead_letter',
  'expired',
  'rule_removed',
  'shutdown',
  'other',
];
/** The reasons that each outcome may have. */
const BRIDGE_OUTCOMES: Readonly<
  Record<BridgeRecordCount['outcome'], readonly BridgeRecordCount['reason'][]>
> = {
  delivered: ['ok'],
  filtered: ['ok'],
  failed: BRIDGE_FAILURES,
  dropped: BRIDGE_FAILURES,
};

/** Listeners that may be made while a node runs; those beyond are counted as `other`. */
export const FURTHER_LISTENERS_MAX = 64;

/** The labels that the configuration of a node decides. */
export interface LabelSets {
  readonly listeners: readonly string[];
  /** Those of them with TLS. */
  readonly secure: readonly string[];
  readonly backends: readonly string[];
}

type Counters = Readonly<Record<keyof typeof BROKER_COUNTERS, Family>>;
type Histograms = ReturnType<typeof histogramFamilies<keyof typeof BROKER_HISTOGRAMS>>;

/** Makes every counter and histogram of a node; all series that can be known are there at 0. */
export function brokerSeries(registry: Registry, sets: LabelSets) {
  const counters = counterFamilies(registry, BROKER_COUNTERS);
  const histograms = histogramFamilies(registry, BROKER_HISTOGRAMS);
  return {
    ...listenerSeries(counters, histograms, sets),
    ...connectionSeries(counters, histograms),
    ...accessSeries(counters, histograms, sets),
    ...messageSeries(counters, histograms),
    ...clusterSeries(counters, histograms),
    ...bridgeSeries(counters, histograms),
  };
}

/** Who may connect, and who may do what. */
function accessSeries(counters: Counters, histograms: Histograms, { backends }: LabelSets) {
  return {
    authentications: new ByLabel(backends, (backend) =>
      counters.authentications.by('outcome', ['allowed', 'denied', 'error'], { backend }),
    ),
    authenticationDuration: histograms.authenticationDuration.by('backend', backends),
    banHits: counters.banHits.by('kind', BAN_KINDS),
    evictions: counters.evictions.by('reason', ['drain', 'rebalance', 'admin']),
    authorizations: new ByLabel(
      ['cache', 'acl'] as const,
      (source) =>
        new ByLabel(['publish', 'subscribe'] as const, (action) =>
          counters.authorizations.by('outcome', ['allowed', 'denied'], { action, source }),
        ),
    ),
  };
}

/** What is counted by listener. */
function listenerSeries(
  counters: Counters,
  histograms: Histograms,
  { listeners, secure }: LabelSets,
) {
  const max = listeners.length + FURTHER_LISTENERS_MAX;
  const by = <Series>(make: (listener: string) => Series): ByLabel<string, Series> =>
    new ByLabel<string, Series>(listeners, make, max);
  const handshakes = (listener: string) =>
    new ByLabel(['ok', 'error'] as const, (outcome) =>
      counters.tlsHandshakes.by('resumed', ['true', 'false'], { listener, outcome }),
    );
  return {
    connects: by(
      (listener) =>
        new ByLabel(
          VERSIONS,
          (version) =>
            new ByLabel(CONNACK_REASONS, (name) =>
              counters.connects.cell({
                listener,
                mqtt_version: version === OTHER ? OTHER : VERSION_LABELS[version],
                ...reasonLabels(name),
              }),
            ),
        ),
    ),
    connectDuration: by((listener) =>
      histograms.connectDuration.cell({ stage: 'accept_to_connack', listener }),
    ),
    connectsThrottled: by((listener) =>
      counters.connectsThrottled.by('limiter', ['listener', 'ip', 'global'], { listener }),
    ),
    disconnects: by(
      (listener) =>
        new ByLabel(['client', 'server', 'network'] as const, (initiator) =>
          counters.disconnects.by('reason', DISCONNECT_REASONS, { listener, initiator }),
        ),
    ),
    socketsRejected: by((listener) =>
      counters.socketsRejected.by('reason', SOCKET_REJECTIONS, { listener }),
    ),
    tlsHandshakes: new ByLabel<string, ReturnType<typeof handshakes>>(secure, handshakes, max),
    receivedBytes: by((listener) => counters.receivedBytes.cell({ listener })),
    sentBytes: by((listener) => counters.sentBytes.cell({ listener })),
  };
}

function connectionSeries(counters: Counters, histograms: Histograms) {
  return {
    connectionDuration: histograms.connectionDuration.cell(),
    sessionEvents: counters.sessionEvents.by('event', [
      'created',
      'resumed',
      'taken_over',
      'discarded',
      'expired',
    ]),
    takeoverDuration: histograms.takeoverDuration.by('scope', ['local', 'remote']),
    subscribes: new ByLabel(SUBACK_REASONS, (name) => counters.subscribes.cell(reasonLabels(name))),
    unsubscribes: new ByLabel(UNSUBACK_REASONS, (name) =>
      counters.unsubscribes.cell(reasonLabels(name)),
    ),
  };
}

function messageSeries(counters: Counters, histograms: Histograms) {
  return {
    packetsReceived: counters.packetsReceived.by('type', PACKET_NAMES),
    packetsSent: counters.packetsSent.by('type', PACKET_NAMES),
    publishReceived: counters.publishReceived.by('qos', QOS),
    publishSent: counters.publishSent.by('qos', QOS),
    publishRejected: counters.publishRejected.by('reason', REJECTIONS),
    publishDuplicates: counters.publishDuplicates.by('qos', QOS_ACKNOWLEDGED),
    publishAckDuration: histograms.publishAckDuration.by('qos', QOS_ACKNOWLEDGED),
    deliveriesDropped: new ByLabel(Object.keys(DROP_FAULTS) as DropReason[], (reason) =>
      counters.deliveriesDropped.cell({
        reason,
        fault: reason === OTHER ? 'server' : DROP_FAULTS[reason],
      }),
    ),
    deliveryRetries: counters.deliveryRetries.by('qos', QOS_ACKNOWLEDGED),
    deliveryDuration: new ByLabel(QOS, (qos) =>
      histograms.deliveryDuration.by('path', ['local', 'remote'], { qos: String(qos) }),
    ),
    fanoutReceivers: histograms.fanoutReceivers.cell(),
    messageSize: histograms.messageSize.by('direction', ['in', 'out']),
    backpressureSeconds: counters.backpressureSeconds.cell(),
    readingHeld: counters.readingHeld.by('reason', HELD_REASONS),
    quotasExceeded: counters.quotasExceeded.by('kind', [
      'connections',
      'sessions',
      'subscriptions',
      'retained',
      'queue',
    ]),
    flapped: counters.flapped.by('kind', ['client_id', 'address']),
    configReloads: counters.configReloads.by('outcome', ['ok', 'failed']),
    traceSpans: counters.traceSpans.by('outcome', ['exported', 'dropped', 'failed']),
    overloads: counters.overloads.by('level', OVERLOAD_LEVELS),
    retainedOperations: counters.retainedOperations.by('op', ['set', 'delete', 'expire', 'serve']),
    groupDeliveries: counters.groupDeliveries.by('outcome', [
      'delivered',
      'redispatched',
      'dropped',
    ]),
    wills: counters.wills.by('event', ['published', 'delayed', 'cancelled']),
    delayed: counters.delayed.by('event', ['stored', 'refused', 'published', 'retried']),
  };
}

function clusterSeries(counters: Counters, histograms: Histograms) {
  return {
    clusterMessages: new ByLabel(['in', 'out'] as const, (direction) =>
      counters.clusterMessages.by('transport', ['redis_pubsub', 'redis_stream'], { direction }),
    ),
    clusterDeliveryDuration: histograms.clusterDeliveryDuration.cell(),
    routeTableResyncs: counters.routeTableResyncs.cell(),
    redisReconnects: counters.redisReconnects.by('role', ['commands', 'subscriber', 'store']),
    inboxAppends: counters.inboxAppends.by('outcome', ['stored', 'full', 'absent']),
    redisReplicaWaits: counters.redisReplicaWaits.by('outcome', ['reached', 'missed']),
    redisCommands: new ByLabel(REDIS_OPERATIONS, (operation) =>
      counters.redisCommands.by('outcome', ['ok', 'error'], { operation }),
    ),
    redisCommandDuration: histograms.redisCommandDuration.by('operation', REDIS_OPERATIONS),
    eventLoopDelay: histograms.eventLoopDelay.cell(),
  };
}

function bridgeSeries(counters: Counters, histograms: Histograms) {
  const records = (bridge: string) =>
    new ByLabel(
      BRIDGE_DIRECTIONS,
      (direction) =>
        new ByLabel(Object.keys(BRIDGE_OUTCOMES) as BridgeRecordCount['outcome'][], (outcome) =>
          counters.bridgeRecords.by('reason', outcome === OTHER ? [] : BRIDGE_OUTCOMES[outcome], {
            bridge,
            direction,
            outcome,
          }),
        ),
    );
  const stages: readonly BridgeStage[] = [
    'where',
    'value',
    'template',
    'topic',
    'schema',
    'produce',
    'consume',
    'spool',
  ];
  return {
    deadLettersDropped: counters.bridgeDeadLettersDropped.cell(),
    bridges: new ByLabel<string, ReturnType<typeof bridge>>([], bridge, OPEN_LABEL_MAX),
    rules: new ByLabel<string, ReturnType<typeof rule>>([], rule, OPEN_LABEL_MAX),
  };

  function bridge(name: string) {
    return {
      records: records(name),
      holds: counters.bridgeHolds.by('outcome', BRIDGE_HOLD_ENDS, { bridge: name }),
      retries: counters.bridgeRetries.cell({ bridge: name }),
      deadLetters: counters.bridgeDeadLetters.cell({ bridge: name }),
      rebalances: counters.bridgeRebalances.cell({ bridge: name }),
      produceDuration: histograms.bridgeProduceDuration.cell({ bridge: name }),
      endToEnd: histograms.bridgeEndToEnd.by('direction', BRIDGE_DIRECTIONS, { bridge: name }),
      batchRecords: histograms.bridgeBatchRecords.cell({ bridge: name }),
    };
  }

  function rule(name: string) {
    return {
      matches: counters.bridgeRuleMatches.cell({ rule: name }),
      errors: counters.bridgeRuleErrors.by('stage', stages, { rule: name }),
      transformDuration: histograms.bridgeTransformDuration.cell({ rule: name }),
    };
  }
}
