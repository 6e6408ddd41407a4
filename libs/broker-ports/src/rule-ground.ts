import type { BridgeRule, Connector, ConnectorKind } from './bridge.ts';

/** The kind of connector that a rule of each direction needs. */
export const KIND_OF: Readonly<Record<BridgeRule['direction'], ConnectorKind>> = {
  'mqtt-to-kafka': 'kafka',
  'kafka-to-mqtt': 'kafka',
  'mqtt-to-webhook': 'webhook',
  'mqtt-to-rabbitmq': 'rabbitmq',
};

/** What does not fit between a rule and the connectors there are. */
export interface RuleGroundFault {
  /** The field of the rule. */
  readonly field: string;
  readonly problem: string;
  readonly fix: string;
}

/** Checks whether a rule names a connector that suits it, and whether that has what the rule needs. */
export function ruleGroundFaults(
  rule: BridgeRule,
  connectors: readonly Connector[],
): readonly RuleGroundFault[] {
  const { bridge, direction } = rule;
  const named = connectors.find(({ id }) => id === bridge);
  if (named === undefined) {
    const ids = connectors.map(({ id }) => id).join(', ');
    const problem = `is ${bridge}, and there is no bridge of that id`;
    const fix =
      ids === ''
        ? 'add it to `bridges` (SKEIN_BRIDGES)'
        : `name one of ${ids}, or add it to \`bridges\``;
    return [{ field: 'bridge', problem, fix }, ...messageFaults(rule)];
  }
  const needed = KIND_OF[direction];
  if (named.kind !== needed) {
    const problem = `needs a bridge of kind ${needed}, and ${bridge} is of kind ${named.kind}`;
    const fix = 'name another bridge or correct the direction';
    return [{ field: 'direction', problem, fix }, ...messageFaults(rule)];
  }
  const hasRegistry = named.kind === 'kafka' && named.schemaRegistry !== undefined;
  if ('schema' in rule && rule.schema !== undefined && !hasRegistry) {
    const problem = `needs a schema registry, and the bridge ${bridge} has none`;
    const fix = 'give the bridge `schemaRegistry`, or remove the schema';
    return [{ field: 'schema', problem, fix }, ...messageFaults(rule)];
  }
  return messageFaults(rule);
}

/** A message is named of formats that have no messages. */
function messageFaults(rule: BridgeRule): readonly RuleGroundFault[] {
  if (rule.direction !== 'mqtt-to-kafka' || rule.schema?.messageType === undefined) return [];
  if (rule.schema.format === 'protobuf') return [];
  const problem = 'is for the format protobuf only';
  return [{ field: 'schema.messageType', problem, fix: 'remove it' }];
}
