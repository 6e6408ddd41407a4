import type { BridgeDirection, BridgeRule, OutboundBridgeRule } from '#libs/broker-ports';
import type { LetterPlace } from './dead-letter.ts';
import { KEPT_TARGET } from './kept-letters.ts';

/** What metrics call each direction. */
export const LABEL_OF: Readonly<Record<BridgeRule['direction'], BridgeDirection>> = {
  'mqtt-to-kafka': 'mqtt_to_kafka',
  'kafka-to-mqtt': 'kafka_to_mqtt',
  'mqtt-to-webhook': 'mqtt_to_webhook',
  'mqtt-to-rabbitmq': 'mqtt_to_rabbitmq',
};

/** Where a rule sends records: what the fields of its direction mean to the bridge. */
export interface OutboundWay {
  /** The field that the target comes from. */
  readonly field: string;
  /** Template of the target. */
  readonly target: string;
  /** What the template may give; undefined for every legal name. */
  readonly allowed: readonly string[] | undefined;
  /** Where a record goes on from its target, for kinds that know such a thing: the field, and its template. */
  readonly route?: { readonly field: string; readonly template: string };
  /** How a lane is chosen: `key`, `round-robin` or a template. */
  readonly partition: string;
  /** Where records go that can never be delivered: the field, and no template. Undefined: nowhere. */
  readonly deadLetter?: (LetterPlace & { readonly field: string }) | undefined;
}

export function wayOf(rule: OutboundBridgeRule): OutboundWay {
  const way = wayOfDirection(rule);
  if (rule.keepDeadLetters !== true || way.deadLetter !== undefined) return way;
  return {
    ...way,
    deadLetter: { field: 'keepDeadLetters', target: KEPT_TARGET, route: undefined },
  };
}

function wayOfDirection(rule: OutboundBridgeRule): OutboundWay {
  switch (rule.direction) {
    case 'mqtt-to-kafka': {
      const { topic, allowTopics, partition, deadLetterTopic: target } = rule;
      const deadLetter = target === undefined ? undefined : { field: 'deadLetterTopic', target };
      return { field: 'topic', target: topic, allowed: allowTopics, partition, deadLetter };
    }
    case 'mqtt-to-webhook': {
      const { path, deadLetterPath: target } = rule;
      const deadLetter = target === undefined ? undefined : { field: 'deadLetterPath', target };
      return { field: 'path', target: path, allowed: undefined, partition: 'key', deadLetter };
    }
    case 'mqtt-to-rabbitmq': {
      const { exchange, deadLetterExchange: target, deadLetterRoutingKey } = rule;
      const route = { field: 'routingKey', template: rule.routingKey };
      const deadLetter =
        target === undefined
          ? undefined
          : { field: 'deadLetterExchange', target, route: deadLetterRoutingKey };
      const way = { allowed: undefined, partition: 'key', deadLetter } as const;
      return { field: 'exchange', target: exchange, route, ...way };
    }
  }
}
