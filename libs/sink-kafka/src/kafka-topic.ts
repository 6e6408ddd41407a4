/**
 * Checks the name of a Kafka topic.
 *
 * @returns why Kafka would refuse it; undefined when it is legal.
 */
export function kafkaTopicFault(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return `the Kafka topic may not be "${name}"`;
  if (name.length > 249) return 'the Kafka topic has more than 249 characters';
  if (!/^[\w.-]+$/.test(name)) {
    return 'the Kafka topic may hold letters, digits, dots, underscores and hyphens only';
  }
  return undefined;
}
