import {
  ruleGroundFaults,
  type BridgeGround,
  type BridgeRule,
  type KafkaToMqttRule,
  type OutboundBridgeRule,
} from '#libs/broker-ports';
import { ExpressionError } from '#libs/bridge-transform';
import { filterFault, parseShare, topicNameFault } from '#libs/topic-index';
import { OWN_HEADER } from './dead-letter.ts';
import { wayOf } from './direction.ts';
import { messagePlaceholder, recordPlaceholder } from './placeholders.ts';
import { KEPT_TARGET } from './kept-letters.ts';
import { isAllowed, laneFault } from './record-maker.ts';
import { RuleTransform } from './rule-transform.ts';
import { Template, TemplateError, type PlaceholderTable } from './template.ts';

/**
 * Checks whether a rule names a bridge that suits it.
 *
 * @returns what is wrong, naming the field; undefined when all is well.
 */
export function bridgeFault(
  rule: BridgeRule,
  { connectors, refused }: BridgeGround,
): string | undefined {
  const refusal = refused.get(rule.bridge);
  if (refusal !== undefined && connectors.every(({ id }) => id !== rule.bridge)) {
    return `bridge: ${rule.bridge} cannot be used here: ${refusal}`;
  }
  const [fault] = ruleGroundFaults(rule, connectors);
  return fault && `${fault.field}: ${fault.problem}; ${fault.fix}`;
}

/**
 * Checks what the bridge must understand of a rule: the filter, the expressions, the names on the other side and every template.
 *
 * @returns what is wrong, naming the field and the placeholder; undefined when the rule can run.
 */
export function ruleFault(rule: BridgeRule, ground: RuleGround): string | undefined {
  if (rule.direction === 'kafka-to-mqtt') {
    const fault = ground.topic(rule.topic);
    if (fault !== undefined) return `topic: ${fault}`;
    return expressionFault(rule) ?? inboundFault(rule, ground);
  }
  const way = wayOf(rule);
  const fault =
    filterFault(rule.filter, Infinity) ??
    (parseShare(rule.filter) && 'a shared subscription cannot select messages');
  if (fault !== undefined) return `filter: ${fault}`;
  if (rule.ack === 'spool' && !ground.hasSpool) {
    return 'ack: the node has no spool; set `bridge.spool.dir` (SKEIN_BRIDGE_SPOOL_DIR), or choose another';
  }
  return (
    expressionFault(rule) ??
    templateFault(way.field, way.target, {
      table: messagePlaceholder,
      constantFault: (name) =>
        ground.target(name) ??
        (isAllowed(name, way.allowed) ? undefined : 'is none of allowTopics'),
    }) ??
    (way.route &&
      templateFault(way.route.field, way.route.template, { table: messagePlaceholder })) ??
    templateFault('key', rule.key, { table: messagePlaceholder }) ??
    partitionFault(way.partition) ??
    deadLetterFault(rule, ground) ??
    Object.keys(rule.headers)
      .filter((name) => name.startsWith(OWN_HEADER))
      .map((name) => `headers.${name}: names that begin with ${OWN_HEADER} are the bridge's own`)
      .at(0) ??
    Object.entries(rule.headers)
      .map(([name, text]) => templateFault(`headers.${name}`, text, { table: messagePlaceholder }))
      .find((headerFault) => headerFault !== undefined)
  );
}

function inboundFault(rule: KafkaToMqttRule, ground: RuleGround): string | undefined {
  const table = recordPlaceholder;
  const topicFault = templateFault('mqttTopic', rule.mqttTopic, {
    table,
    constantFault: (topic) => topicNameFault(topic, Infinity),
  });
  if (topicFault !== undefined) return topicFault;
  const { qos, retain, expirySeconds, contentType, responseTopic, correlationData } = rule;
  const templates = Object.entries({
    ...{ qos, retain, expirySeconds, contentType, responseTopic, correlationData },
    ...prefixed('userProperties', rule.userProperties ?? {}),
  });
  for (const [field, text] of templates) {
    const fault = typeof text === 'string' ? templateFault(field, text, { table }) : undefined;
    if (fault !== undefined) return fault;
  }
  const { onError, deadLetterTopic } = rule;
  if (deadLetterTopic === undefined) {
    return onError === 'dlq' ? 'deadLetterTopic: is needed for `onError: dlq`' : undefined;
  }
  if (onError !== 'dlq') return 'deadLetterTopic: is for `onError: dlq` only';
  if (deadLetterTopic === rule.topic) return 'deadLetterTopic: is the topic that is consumed';
  const fault = ground.target(deadLetterTopic);
  return fault && `deadLetterTopic: ${fault}`;
}

function prefixed(field: string, texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [`${field}.${name}`, text]),
  );
}

/** What a rule finds on its node, and why there can be nothing of a name on the other side; undefined when there can. */
export interface RuleGround {
  target(name: string): string | undefined;
  topic(name: string): string | undefined;
  readonly hasSpool: boolean;
  readonly keepsLetters: boolean;
}

function deadLetterFault(rule: OutboundBridgeRule, ground: RuleGround): string | undefined {
  const { target, route, deadLetter } = wayOf(rule);
  if (deadLetter === undefined) {
    const isHalf = rule.direction === 'mqtt-to-rabbitmq' && rule.deadLetterRoutingKey !== undefined;
    return isHalf ? 'deadLetterRoutingKey: is for dead letters; set deadLetterExchange' : undefined;
  }
  const { field } = deadLetter;
  if (deadLetter.target === KEPT_TARGET) {
    return ground.keepsLetters ? undefined : `${field}: the node keeps no dead letters`;
  }
  if (rule.keepDeadLetters === true)
    return `keepDeadLetters: takes the place of ${field}; remove one`;
  const named = [deadLetter.target, deadLetter.route ?? ''];
  if (named.some((text) => text.includes('${'))) return `${field}: takes no placeholders`;
  const fault = ground.target(deadLetter.target);
  if (fault !== undefined) return `${field}: ${fault}`;
  if (rule.direction === 'mqtt-to-rabbitmq' && deadLetter.target === '' && !deadLetter.route) {
    return `${field}: the default exchange needs a queue; name it in deadLetterRoutingKey`;
  }
  const isSame = deadLetter.target === target;
  const isSameRoute = deadLetter.route === undefined || deadLetter.route === route?.template;
  return isSame && isSameRoute ? `${field}: is where the records go; name another` : undefined;
}

function partitionFault(partition: string): string | undefined {
  if (partition === 'key' || partition === 'round-robin') return undefined;
  return templateFault('partition', partition, {
    table: messagePlaceholder,
    constantFault: laneFault,
  });
}

function expressionFault(rule: BridgeRule): string | undefined {
  try {
    RuleTransform.of(rule);
    return undefined;
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
}

interface TemplateRules<Source> {
  readonly table: PlaceholderTable<Source>;
  /** Checks a template that always gives the same text. */
  readonly constantFault?: (text: string) => string | undefined;
}

function templateFault<Source>(
  field: string,
  text: string,
  rules: TemplateRules<Source>,
): string | undefined {
  try {
    const { constant } = new Template(text, rules.table);
    const fault = constant === undefined ? undefined : rules.constantFault?.(constant);
    return fault && `${field}: ${fault}`;
  } catch (error) {
    if (error instanceof TemplateError) return `${field}: ${error.message}`;
    throw error;
  }
}
