import type { PublishProperties } from './packet.ts';
import { UserProperties } from './user-properties.ts';

/** What PUBLISH spends on a user property besides its name and value. */
const USER_PROPERTY_BYTES = 5;

/** What a message takes in memory or in a store, near enough for a bound: its topic, its payload and its properties. */
export function sizeOf(message: {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties?: PublishProperties;
}): number {
  const { topic, payload, properties } = message;
  const bytes = topic.length + payload.length;
  return properties === undefined ? bytes : bytes + sizeOfProperties(properties);
}

function sizeOfProperties(properties: PublishProperties): number {
  const { contentType = '', responseTopic = '', correlationData, userProperties = [] } = properties;
  let bytes = contentType.length + responseTopic.length + (correlationData?.length ?? 0);
  if (userProperties instanceof UserProperties) return bytes + userProperties.byteLength;
  for (const [name, value] of userProperties) {
    bytes += USER_PROPERTY_BYTES + name.length + value.length;
  }
  return bytes;
}
