import type {
  BridgeRuleCreate,
  BridgeRuleSchema,
  BridgeRuleSpool,
  BridgeRuleState,
  BridgeRuleView,
  BridgeView,
  ClusterNode,
  ConnectivityTest,
  MessageContent,
  MessageProperties,
  MessagePublish,
  RetainedMessage,
  Subscription,
  WireKafkaTls,
  WireMessage,
  WireNode,
  WireNodeStatus,
  WireProperties,
  WireRetained,
  WireRule,
  WireRuleSpool,
  WireRuleState,
  WireSchemaRegistry,
  WireValueSchema,
  WireStoredBridge,
  WireStoredRule,
  WireSubscription,
  WireTestStep,
} from '#libs/api-contracts';
import { ProblemError } from './http/problem-error.ts';

const time = (ms: number): string => new Date(ms).toISOString();

/** A subscription as the API shows it. */
export function presentSubscription(subscription: WireSubscription, node: string): Subscription {
  return {
    client_id: subscription.clientId,
    filter: subscription.filter,
    node,
    qos: subscription.qos,
    no_local: subscription.noLocal,
    retain_as_published: subscription.retainAsPublished,
    retain_handling: subscription.retainHandling,
    subscription_identifier: subscription.subscriptionIdentifier || null,
  };
}

/** A node as the API shows it; without a status it did not answer. */
export function presentNode(node: WireNode, status: WireNodeStatus | undefined): ClusterNode {
  return {
    id: node.nodeId,
    state: node.state,
    reachable: status !== undefined,
    version: node.version,
    started_at: time(node.startedAtMs),
    statistics:
      status === undefined
        ? null
        : {
            connections: status.connections,
            sessions: status.sessions,
            subscriptions: status.subscriptions,
            messages_received: status.messagesReceived,
            messages_sent: status.messagesSent,
          },
  };
}

/** A retained message as the API shows it, its payload in the form asked for. */
export function presentRetained(
  message: WireRetained,
  form: 'none' | 'base64' | 'text',
): RetainedMessage {
  return {
    topic: message.topic,
    qos: message.qos,
    payload_bytes: message.payloadBytes,
    ...(form === 'none' ? {} : presentPayload(message.payload ?? '', form)),
    publisher: message.publisher === '' ? null : message.publisher,
    received_at: time(message.receivedAtMs),
    expires_at: message.expiresAtMs === 0 ? null : time(message.expiresAtMs),
    properties: presentProperties(message.properties, form !== 'none'),
  };
}

/** A payload in the form asked for; base64 where it is no text. */
export function presentPayload(base64: string, form: 'base64' | 'text') {
  if (form === 'text') {
    try {
      const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
      const payload = decoder.decode(Buffer.from(base64, 'base64'));
      return { payload, payload_encoding: 'plain' as const };
    } catch {
      // Not UTF-8: base64 is the only faithful form.
    }
  }
  return { payload: base64, payload_encoding: 'base64' as const };
}

/**
 * Properties of a message as the API shows them.
 *
 * @param content - whether the caller sees content too: user properties and correlation data are some.
 */
export function presentProperties(properties: WireProperties, content: boolean): MessageProperties {
  const { contentType, responseTopic, correlationData } = properties;
  const { payloadFormatIndicator, userProperties } = properties;
  return {
    ...(contentType === undefined ? {} : { content_type: contentType }),
    ...(responseTopic === undefined ? {} : { response_topic: responseTopic }),
    ...(content && correlationData !== undefined && { correlation_data: correlationData }),
    ...(payloadFormatIndicator === undefined
      ? {}
      : { payload_format_indicator: payloadFormatIndicator }),
    ...(content &&
      userProperties !== undefined && {
        user_properties: userProperties.map(([name, value]) => ({ name, value })),
      }),
  };
}

/** A message to publish as nodes take it. */
export function wireMessageOf(message: MessageContent): WireMessage {
  const { topic, qos, retain, properties } = message;
  return {
    topic,
    qos,
    retain,
    payload: base64Of(message.payload, message.payload_encoding),
    ...(properties === undefined
      ? {}
      : {
          properties: {
            contentType: properties.content_type,
            responseTopic: properties.response_topic,
            correlationData: properties.correlation_data,
            payloadFormatIndicator: properties.payload_format_indicator,
            messageExpiryInterval: properties.message_expiry_interval,
            userProperties: properties.user_properties?.map(({ name, value }) => [name, value]),
          },
        }),
  };
}

/** A payload of a request as nodes take it. */
export function base64Of(payload: unknown, encoding: MessagePublish['payload_encoding']): string {
  if (payload === undefined) return '';
  if (encoding === 'json') return Buffer.from(jsonOf(payload)).toString('base64');
  // The contract has checked that it is a text.
  const text = payload as string;
  return encoding === 'base64' ? text : Buffer.from(text).toString('base64');
}

/** A value as JSON; the parser takes more levels than can be written again. @throws ProblemError */
function jsonOf(payload: unknown): string {
  try {
    return JSON.stringify(payload);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const detail = 'The payload has too many levels';
    throw new ProblemError('validation-failed', detail, {
      errors: [{ pointer: '/payload', code: 'too-deep', detail }],
    });
  }
}

/** A bridge rule as the API shows it. */
export function presentRule({ rule, source }: WireStoredRule): BridgeRuleView {
  if (rule.direction === 'mqtt-to-kafka') {
    const { allowTopics, allowLoop, keepDeadLetters, deadLetterTopic, schema, spool, ...rest } =
      rule;
    const own = given({
      allow_loop: allowLoop,
      keep_dead_letters: keepDeadLetters,
      allow_topics: allowTopics && [...allowTopics],
      dead_letter_topic: deadLetterTopic,
    });
    return { ...rest, ...own, ...presentSchema(schema), ...presentRuleSpool(spool), source };
  }
  if (rule.direction === 'mqtt-to-webhook') {
    const { deadLetterPath, allowLoop, keepDeadLetters, spool, ...rest } = rule;
    const own = given({
      dead_letter_path: deadLetterPath,
      allow_loop: allowLoop,
      keep_dead_letters: keepDeadLetters,
    });
    return { ...rest, ...own, ...presentRuleSpool(spool), source };
  }
  if (rule.direction === 'mqtt-to-rabbitmq') {
    const { routingKey, deadLetterExchange, deadLetterRoutingKey, ...others } = rule;
    const { allowLoop, keepDeadLetters, spool, ...rest } = others;
    const own = given({
      allow_loop: allowLoop,
      keep_dead_letters: keepDeadLetters,
      dead_letter_exchange: deadLetterExchange,
      dead_letter_routing_key: deadLetterRoutingKey,
    });
    return { ...rest, routing_key: routingKey, ...own, ...presentRuleSpool(spool), source };
  }
  const { id, bridge, direction, enabled, topic, schema, qos, retain } = rule;
  return given({
    ...{ id, bridge, direction, enabled, topic, schema, qos, retain, source },
    where: rule.where,
    value: rule.value,
    mqtt_topic: rule.mqttTopic,
    expiry_seconds: rule.expirySeconds,
    content_type: rule.contentType,
    response_topic: rule.responseTopic,
    correlation_data: rule.correlationData,
    user_properties: rule.userProperties && { ...rule.userProperties },
    on_error: rule.onError,
    dead_letter_topic: rule.deadLetterTopic,
    start_when: rule.startWhen,
  });
}

function presentSchema(schema: WireValueSchema | undefined): { schema?: BridgeRuleSchema } {
  if (schema === undefined) return {};
  const { messageType, ...rest } = schema;
  return {
    schema: { ...rest, ...(messageType === undefined ? {} : { message_type: messageType }) },
  };
}

function presentRuleSpool(spool: WireRuleSpool | undefined): { spool?: BridgeRuleSpool } {
  if (spool === undefined) return {};
  const { bytesMax, ageSecondsMax, onFull } = spool;
  return {
    spool: {
      ...(bytesMax === undefined ? {} : { bytes_max: bytesMax }),
      ...(ageSecondsMax === undefined ? {} : { age_seconds_max: ageSecondsMax }),
      ...(onFull === undefined ? {} : { on_full: onFull }),
    },
  };
}

/** A bridge as the API shows it, without states yet. */
export function presentBridge({ connector, source }: WireStoredBridge): BridgeView {
  const { enabled = true } = connector;
  const origin = { source, enabled, states: [] } satisfies Partial<BridgeView>;
  if (connector.kind === 'kafka') {
    const { clientId, brokers, tls, schemaRegistry, ...rest } = connector;
    return {
      ...rest,
      ...origin,
      ...(tls === undefined ? {} : { tls: presentTls(tls) }),
      ...(schemaRegistry === undefined ? {} : { schema_registry: presentRegistry(schemaRegistry) }),
      brokers: [...brokers],
      client_id: clientId,
    };
  }
  const { caFile, timeoutMs, ...rest } = connector;
  const authorities = caFile === undefined ? {} : { ca_file: caFile };
  return { ...rest, ...origin, ...authorities, timeout_ms: timeoutMs };
}

function presentRegistry(
  registry: WireSchemaRegistry,
): NonNullable<Extract<BridgeView, { kind: 'kafka' }>['schema_registry']> {
  const { caFile, timeoutMs, refreshMs, ...rest } = registry;
  const authorities = caFile === undefined ? {} : { ca_file: caFile };
  return { ...rest, ...authorities, timeout_ms: timeoutMs, refresh_ms: refreshMs };
}

function presentTls(tls: WireKafkaTls): NonNullable<Extract<BridgeView, { kind: 'kafka' }>['tls']> {
  const { caFile, certFile, keyFile, serverName } = tls;
  return {
    ...(caFile === undefined ? {} : { ca_file: caFile }),
    ...(certFile === undefined ? {} : { cert_file: certFile }),
    ...(keyFile === undefined ? {} : { key_file: keyFile }),
    ...(serverName === undefined ? {} : { server_name: serverName }),
  };
}

/** How a bridge or a rule fares on a node, as the API shows it. */
export function presentState<State>(
  node: string,
  { state, lastError }: { readonly state: State; readonly lastError?: string | undefined },
): { node: string; state: State; last_error: string | null } {
  return { node, state, last_error: lastError ?? null };
}

/** How a rule fares on a node, as the API shows it. */
export function presentRuleState(node: string, state: WireRuleState): BridgeRuleState {
  return { ...presentState(node, state), spool: state.spool ?? null };
}

/** What the test of a bridge on a node found, as the API shows it. */
export function presentTest(
  node: string,
  steps: readonly WireTestStep[],
): ConnectivityTest['results'][number] {
  return {
    node,
    ok: steps.every(({ ok }) => ok),
    steps: steps.map(({ step, ok, ms, detail }) => ({ step, ok, latency_ms: ms, detail })),
  };
}

/** A bridge rule of a request as nodes take it. */
export function wireRuleOf(rule: BridgeRuleCreate): WireRule {
  if (rule.direction === 'mqtt-to-kafka') {
    const { allow_topics: allowTopics, allow_loop: allowLoop, ...others } = rule;
    const { dead_letter_topic, keep_dead_letters, schema, spool, ...rest } = others;
    const own = given({
      ...{ allowTopics, allowLoop, keepDeadLetters: keep_dead_letters },
      deadLetterTopic: dead_letter_topic,
    });
    return { ...rest, ...own, ...wireSchemaOf(schema), ...wireRuleSpoolOf(spool) };
  }
  if (rule.direction === 'mqtt-to-webhook') {
    const { dead_letter_path, allow_loop: allowLoop, keep_dead_letters, spool, ...rest } = rule;
    const keepDeadLetters = keep_dead_letters;
    const own = given({ allowLoop, keepDeadLetters, deadLetterPath: dead_letter_path });
    return { ...rest, ...own, ...wireRuleSpoolOf(spool) };
  }
  if (rule.direction === 'mqtt-to-rabbitmq') {
    const { routing_key: routingKey, allow_loop: allowLoop, spool, ...others } = rule;
    const { dead_letter_exchange, dead_letter_routing_key, keep_dead_letters, ...rest } = others;
    const own = given({
      allowLoop,
      keepDeadLetters: keep_dead_letters,
      deadLetterExchange: dead_letter_exchange,
      deadLetterRoutingKey: dead_letter_routing_key,
    });
    return { ...rest, routingKey, ...own, ...wireRuleSpoolOf(spool) };
  }
  const { id, bridge, direction, enabled, topic, schema, qos, retain } = rule;
  return given({
    ...{ id, bridge, direction, enabled, topic, schema, qos, retain },
    where: rule.where,
    value: rule.value,
    mqttTopic: rule.mqtt_topic,
    expirySeconds: rule.expiry_seconds,
    contentType: rule.content_type,
    responseTopic: rule.response_topic,
    correlationData: rule.correlation_data,
    userProperties: rule.user_properties,
    onError: rule.on_error,
    deadLetterTopic: rule.dead_letter_topic,
    startWhen: rule.start_when,
  });
}

/** Without the fields that are not given. */
function given<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Fields;
}

function wireSchemaOf(schema: BridgeRuleSchema | undefined): { schema?: WireValueSchema } {
  if (schema === undefined) return {};
  const { message_type: messageType, ...rest } = schema;
  return { schema: { ...rest, ...(messageType === undefined ? {} : { messageType }) } };
}

function wireRuleSpoolOf(spool: BridgeRuleSpool | undefined): { spool?: WireRuleSpool } {
  if (spool === undefined) return {};
  const { bytes_max: bytesMax, age_seconds_max: ageSecondsMax, on_full: onFull } = spool;
  return {
    spool: {
      ...(bytesMax === undefined ? {} : { bytesMax }),
      ...(ageSecondsMax === undefined ? {} : { ageSecondsMax }),
      ...(onFull === undefined ? {} : { onFull }),
    },
  };
}
