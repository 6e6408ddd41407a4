import { describe, expect, it } from '@jest/globals';
import type {
  BridgeGround,
  Connector,
  KafkaToMqttRule,
  MqttToRabbitmqRule,
  MqttToWebhookRule,
} from '#libs/broker-ports';
import { inboundRule, outboundRule } from '#libs/testkit';
import { bridgeFault, ruleFault, type RuleGround } from './rule-fault.ts';

const outbound = outboundRule({
  filter: 'devices/+/telemetry',
  headers: { site: '${topic[0]}' },
});
const inbound = inboundRule();

const ground: RuleGround = {
  target: (target) => (target.includes('/') ? 'no slash' : undefined),
  topic: (topic) => (topic.includes(' ') ? 'no space' : undefined),
  hasSpool: false,
  keepsLetters: false,
};

const connector: Connector = {
  id: 'main',
  kind: 'kafka',
  brokers: ['k:9092'],
  clientId: 'skein',
  compression: 'none',
};

/** Where these bridges are. */
function on(connectors: readonly Connector[]): BridgeGround {
  return { connectors, refused: new Map() };
}

describe('bridgeFault', () => {
  it('finds nothing wrong with a rule that names a bridge of the kind it needs', () => {
    expect(bridgeFault(outbound, on([connector]))).toBeUndefined();
    expect(bridgeFault(inbound, on([connector]))).toBeUndefined();
  });

  it('says which bridges there are when the rule names another', () => {
    const other = { ...connector, id: 'other' };
    expect(bridgeFault(outbound, on([other]))).toBe(
      'bridge: is main, and there is no bridge of that id; name one of other, or add it to `bridges`',
    );
    expect(bridgeFault(inbound, on([]))).toBe(
      'bridge: is main, and there is no bridge of that id; add it to `bridges` (SKEIN_BRIDGES)',
    );
  });

  it('says why a bridge cannot be used here', () => {
    const refused = new Map([['main', 'tls.caFile names a file']]);
    expect(bridgeFault(inbound, { connectors: [], refused })).toBe(
      'bridge: main cannot be used here: tls.caFile names a file',
    );
  });

  it('says which kind the direction needs', () => {
    // A kind that only a newer version knows.
    const kind = 'pigeon' as 'kafka';
    expect(bridgeFault(inbound, on([{ ...connector, kind }]))).toBe(
      'direction: needs a bridge of kind kafka, and main is of kind pigeon; name another bridge or correct the direction',
    );
  });
});

describe('bridgeFault of schemas', () => {
  const schema = { format: 'avro', version: 'latest' } as const;
  const registry = { url: 'http://r:8081', timeoutMs: 1_000, refreshMs: 1_000 };
  const withRegistry: Connector = { ...connector, schemaRegistry: registry };

  it('asks for a registry', () => {
    const fault =
      'schema: needs a schema registry, and the bridge main has none; give the bridge `schemaRegistry`, or remove the schema';
    expect(bridgeFault({ ...outbound, schema }, on([connector]))).toBe(fault);
    expect(bridgeFault({ ...inbound, schema }, on([connector]))).toBe(fault);
    expect(bridgeFault({ ...outbound, schema }, on([withRegistry]))).toBeUndefined();
    expect(bridgeFault({ ...inbound, schema }, on([withRegistry]))).toBeUndefined();
  });

  it('knows messages of Protobuf only', () => {
    const messageType = 'plant.v1.Reading';
    const rule = { ...outbound, schema: { ...schema, messageType } };
    expect(bridgeFault(rule, on([withRegistry]))).toBe(
      'schema.messageType: is for the format protobuf only; remove it',
    );
    const proto = { ...rule, schema: { ...rule.schema, format: 'protobuf' as const } };
    expect(bridgeFault(proto, on([withRegistry]))).toBeUndefined();
  });
});

describe('ruleFault', () => {
  it('finds nothing wrong with good rules', () => {
    expect(ruleFault(outbound, ground)).toBeUndefined();
    expect(ruleFault(inbound, ground)).toBeUndefined();
    const full: KafkaToMqttRule = {
      ...inbound,
      qos: '${headers.qos}',
      retain: '${headers.retain}',
      expirySeconds: '60',
      userProperties: { tenant: '${headers.tenant}' },
      onError: 'dlq',
      deadLetterTopic: 'dead',
      startWhen: 'subscribers',
    };
    expect(ruleFault(full, ground)).toBeUndefined();
    for (const partition of ['round-robin', '7', '${topic[1]}']) {
      expect(ruleFault({ ...outbound, partition, allowTopics: ['tele*'] }, ground)).toBeUndefined();
    }
  });

  it.each([
    [{ filter: 'a/#/b' }, /^filter: /],
    [{ filter: '$share/g/a' }, /^filter: a shared subscription/],
    [{ topic: '${topics}' }, /^topic: \$\{topics\} is not a known placeholder$/],
    [{ topic: 'a/b' }, /^topic: no slash$/],
    [{ allowTopics: ['telemetr', 'other*'] }, /^topic: is none of allowTopics$/],
    [{ partition: 'first' }, /^partition: must be key, round-robin, a number/],
    [{ partition: '${level}' }, /^partition: \$\{level\} is not a known placeholder$/],
    [{ key: '${' }, /^key: \$\{ has no closing brace$/],
    [{ where: 'qos =' }, /^where, character \d+: /],
    [{ value: 'payload.{' }, /^value, character \d+: /],
    [{ ack: 'spool' as const }, /^ack: the node has no spool; set `bridge.spool.dir`/],
    [{ headers: { site: '${key}' } }, /^headers.site: \$\{key\} is not a known placeholder$/],
    [{ headers: { 'skein-rule': 'x' } }, /^headers.skein-rule: .* are the bridge's own$/],
    [{ deadLetterTopic: 'a/b' }, /^deadLetterTopic: no slash$/],
    [{ deadLetterTopic: '${topic}' }, /^deadLetterTopic: takes no placeholders$/],
    [{ deadLetterTopic: 'telemetry' }, /^deadLetterTopic: is where the records go; name another$/],
  ])('names the field of an outbound rule: %j', (change, fault) => {
    expect(ruleFault({ ...outbound, ...change }, ground)).toMatch(fault);
  });

  describe('of dead letters', () => {
    const { topic: _, partition: __, ...common } = outbound;
    const webhook: MqttToWebhookRule = {
      ...common,
      direction: 'mqtt-to-webhook',
      path: '/t',
      ack: 'webhook',
    };
    const rabbitmq: MqttToRabbitmqRule = {
      ...common,
      direction: 'mqtt-to-rabbitmq',
      exchange: '',
      routingKey: '${topic[0]}',
      ack: 'rabbitmq',
    };
    const free = { ...ground, target: () => undefined };

    it.each([
      { ...outbound, deadLetterTopic: 'dead' },
      { ...webhook, deadLetterPath: '/dead' },
      { ...rabbitmq, deadLetterExchange: 'dead' },
      { ...rabbitmq, deadLetterExchange: '', deadLetterRoutingKey: 'dead' },
    ])('finds nothing wrong with %j', (rule) => {
      expect(ruleFault(rule, free)).toBeUndefined();
    });

    it.each([
      [{ ...webhook, deadLetterPath: '/t' }, /^deadLetterPath: is where the records go/],
      [
        { ...rabbitmq, deadLetterRoutingKey: 'dead' },
        /^deadLetterRoutingKey: .*deadLetterExchange/,
      ],
      [{ ...rabbitmq, deadLetterExchange: '' }, /^deadLetterExchange: the default exchange needs/],
      [
        { ...rabbitmq, routingKey: 'q', deadLetterExchange: '', deadLetterRoutingKey: 'q' },
        /^deadLetterExchange: is where the records go/,
      ],
    ])('names the field: %j', (rule, fault) => {
      expect(ruleFault(rule, free)).toMatch(fault);
    });
  });

  it.each([
    [{ topic: 'a b' }, /^topic: no space$/],
    [{ mqttTopic: '${clientId}' }, /^mqttTopic: \$\{clientId\} is not a known placeholder$/],
    [{ mqttTopic: 'a/+' }, /^mqttTopic: /],
    [{ where: 'value.t = 1' }, /^where, character 5: records have no value; write payload,/],
    [{ value: '$eval("1")' }, /^value, character \d+: there is no function or variable \$eval/],
    [{ qos: '${qos}' }, /^qos: \$\{qos\} is not a known placeholder$/],
    [{ userProperties: { a: '${' } }, /^userProperties.a: \$\{ has no closing brace$/],
    [{ onError: 'dlq' as const }, /^deadLetterTopic: is needed for `onError: dlq`$/],
    [{ deadLetterTopic: 'dead' }, /^deadLetterTopic: is for `onError: dlq` only$/],
    [
      { onError: 'dlq' as const, deadLetterTopic: 'commands' },
      /^deadLetterTopic: is the topic that is consumed$/,
    ],
    [{ onError: 'dlq' as const, deadLetterTopic: 'a/b' }, /^deadLetterTopic: no slash$/],
  ])('names the field of an inbound rule: %j', (change, fault) => {
    expect(ruleFault({ ...inbound, ...change }, ground)).toMatch(fault);
  });
});
