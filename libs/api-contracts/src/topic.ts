import { z } from 'zod';
import { MQTT_TEXT_MAX } from './schema.ts';

const encoder = new TextEncoder();

const fits = (text: string): boolean =>
  text.length > 0 && text.length <= MQTT_TEXT_MAX && encoder.encode(text).length <= MQTT_TEXT_MAX;

/** Whether a text is a topic name: no wildcard, no U+0000 [MQTT-3.3.2-2] [MQTT-4.7.3-2]. */
export function isTopicName(text: string): boolean {
  return fits(text) && !/[+#\0]/.test(text);
}

/** Whether a text is a topic filter: wildcards stand alone in their level, `#` in the last [MQTT-4.7.1-1]. */
export function isTopicFilter(text: string): boolean {
  if (!fits(text) || text.includes('\0')) return false;
  const levels = text.split('/');
  return levels.every(
    (level, index) =>
      level === '+' || (level === '#' && index === levels.length - 1) || !/[+#]/.test(level),
  );
}

/** A topic name in a request. */
export const topicNameSchema = z
  .string()
  .refine(isTopicName, {
    message: 'A topic name is 1 to 65535 bytes without wildcards',
    params: { problem: 'invalid-topic' },
  })
  .meta({ maxLength: MQTT_TEXT_MAX });

/** A topic filter in a request. */
export const topicFilterSchema = z
  .string()
  .refine(isTopicFilter, {
    message: 'A wildcard stands alone in its level, # in the last one',
    params: { problem: 'invalid-filter' },
  })
  .meta({ maxLength: MQTT_TEXT_MAX });
