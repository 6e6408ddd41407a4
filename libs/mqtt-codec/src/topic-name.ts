import type { ByteReader } from './byte-reader.ts';
import { REASON } from './reason-code.ts';

/** Whether a text holds a character that only filters may hold (section 4.7.1). */
export function hasWildcard(text: string): boolean {
  return text.includes('#') || text.includes('+');
}

/** Reads a text that must be a topic name: not empty [MQTT-4.7.3-1], without wildcards [MQTT-3.3.2-2] [MQTT-3.3.2-14]. */
export function decodeTopicName(reader: ByteReader): string {
  const topic = reader.text();
  if (topic === '' || hasWildcard(topic)) {
    reader.fail(REASON.topicNameInvalid, 'a topic name is empty or holds a wildcard');
  }
  return topic;
}
