import type { Message, PublishError } from '#libs/broker-ports';

/**
 * Whether a message whose obligations could not be met is published again when nobody else will repeat it. One that has
 * found no room among the retained messages has reached its subscribers, and would reach them each time.
 */
export function mayRepeat(
  { qos, retain }: Pick<Message, 'qos' | 'retain'>,
  { code }: PublishError,
): boolean {
  if (qos === 0 || code === 'NOT_AUTHORIZED') return false;
  return !(retain && code === 'QUOTA_EXCEEDED');
}
