import type { BridgeRule } from '#libs/broker-ports';
import { filterFault, parseShare, topicNameFault } from '#libs/topic-index';
import { messagePlaceholder, recordPlaceholder } from './placeholders.ts';
import type { SinkFactory } from './sink.ts';
import type { SourceFactory } from './source.ts';
import { Template, TemplateError, type PlaceholderTable } from './template.ts';

/**
 * Checks what the bridge must understand of a rule: the filter, the names on the other side and every template.
 *
 * @returns what is wrong, naming the field and the placeholder; undefined when the rule can run.
 */
export function ruleFault(rule: BridgeRule, kind: KindFaults): string | undefined {
  if (rule.direction === 'kafka-to-mqtt') {
    const fault = kind.topicFault(rule.topic);
    if (fault !== undefined) return `topic: ${fault}`;
    return templateFault('mqttTopic', rule.mqttTopic, {
      table: recordPlaceholder,
      constantFault: (topic) => topicNameFault(topic, Infinity),
    });
  }
  const fault =
    filterFault(rule.filter, Infinity) ??
    (parseShare(rule.filter) && 'a shared subscription cannot select messages');
  if (fault !== undefined) return `filter: ${fault}`;
  return (
    templateFault('topic', rule.topic, {
      table: messagePlaceholder,
      constantFault: (target) => kind.targetFault(target),
    }) ??
    templateFault('key', rule.key, { table: messagePlaceholder }) ??
    Object.entries(rule.headers)
      .map(([name, text]) => templateFault(`headers.${name}`, text, { table: messagePlaceholder }))
      .find((headerFault) => headerFault !== undefined)
  );
}

/** What a kind of connector knows of the names on its side. */
export type KindFaults = Pick<SinkFactory, 'targetFault'> & Pick<SourceFactory, 'topicFault'>;

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
