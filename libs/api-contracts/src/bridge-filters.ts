import { choiceField, flagField, textField } from './filters.ts';

const source = choiceField(['config', 'api'], ['eq'], 'Where it is defined.');

/** What bridges can be filtered by. */
export const BRIDGE_FILTERS = {
  id: textField(['eq', 'like', 'in'], 'The id of the bridge.'),
  kind: choiceField(['kafka', 'webhook', 'rabbitmq'], ['eq', 'in'], 'What is on the other side.'),
  source,
  enabled: flagField('Whether its rules are to be at work.'),
  state: choiceField(
    ['connected', 'disconnected', 'unused', 'stopped'],
    ['eq', 'in'],
    'How it fares on one node at least.',
  ),
} as const;

/** What bridge rules can be filtered by. */
export const BRIDGE_RULE_FILTERS = {
  id: textField(['eq', 'like', 'in'], 'The id of the rule.'),
  bridge: textField(['eq', 'in'], 'The bridge that it names.'),
  direction: choiceField(
    ['mqtt-to-kafka', 'mqtt-to-webhook', 'mqtt-to-rabbitmq', 'kafka-to-mqtt'],
    ['eq', 'in'],
    'Which way it carries.',
  ),
  source,
  enabled: flagField('Whether it is to be at work.'),
  state: choiceField(
    ['running', 'degraded', 'stopped'],
    ['eq', 'in'],
    'How it fares on one node at least.',
  ),
} as const;
