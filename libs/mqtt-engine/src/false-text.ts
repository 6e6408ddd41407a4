import { isUtf8, type PublishProperties } from '#libs/mqtt-codec';

/** Whether a payload is declared as text and is not UTF-8 (MQTT 5, section 3.3.2.3.2). */
export function isFalseText(message: {
  readonly payload: Uint8Array;
  readonly properties?: Pick<PublishProperties, 'payloadFormatIndicator'>;
}): boolean {
  return message.properties?.payloadFormatIndicator === 1 && !isUtf8(message.payload);
}
