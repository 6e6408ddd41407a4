import { expect, it } from '@jest/globals';
import { encodePublish, sizeOf, type PublishProperties } from './index.ts';

const MESSAGE = { topic: 'a/b', payload: Uint8Array.of(1, 2) };
const PROPERTIES: PublishProperties = {
  contentType: 'text',
  responseTopic: 'answers',
  correlationData: Uint8Array.of(1, 2, 3),
  userProperties: [
    ['name', 'value'],
    ['', ''],
  ],
};

it('counts the topic, the payload and the properties', () => {
  expect(sizeOf(MESSAGE)).toBe(5);
  expect(sizeOf({ ...MESSAGE, properties: PROPERTIES })).toBe(5 + 14 + 14 + 5);
  expect(sizeOf({ ...MESSAGE, properties: { payloadFormatIndicator: 1 } })).toBe(5);
});

it('is never more than the packet that brought the message', () => {
  const form = { dup: false, qos: 0, retain: false, packetId: 0 } as const;
  const message = { topic: 'ü€', payload: MESSAGE.payload, properties: PROPERTIES };
  const { bytes } = encodePublish({ ...form, ...message }, 5);
  expect(sizeOf(message)).toBeLessThanOrEqual(bytes.length);
});
