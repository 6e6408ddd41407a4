import { expect, it } from '@jest/globals';
import { recordOf } from './trace-content.ts';

const message = {
  topic: 'a',
  payload_bytes: 1,
  payload: 'secret payload',
  payload_encoding: 'plain',
  payload_truncated: true,
  properties: {
    content_type: 'text/plain',
    user_properties: [{ name: 'patient', value: 'secret name' }],
    correlation_data: 'secret data',
  },
};

const RECORDS = {
  publish: { kind: 'packet', packet: { type: 'publish', ...message } },
  connect: {
    kind: 'packet',
    packet: {
      ...{ type: 'connect', client_id: 'c', will: message },
      properties: { user_properties: [{ name: 'firmware', value: '7' }] },
    },
  },
};

it.each(Object.entries(RECORDS))(
  'what a message in a %s holds is for those who may see it',
  (_, record) => {
    const line = JSON.stringify(record);
    expect(recordOf(line, true)).toEqual(record);
    const shown = recordOf(line, false);
    expect(JSON.stringify(shown)).not.toContain('secret');
    expect(JSON.stringify(shown)).toContain('"payload_bytes":1');
    expect(JSON.stringify(shown)).toContain('"properties":{"content_type":"text/plain"}');
  },
);

it('what a client says of itself in a CONNECT is no content', () => {
  const shown = recordOf(JSON.stringify(RECORDS.connect), false);
  expect(shown).toMatchObject({ packet: { properties: RECORDS.connect.packet.properties } });
});

it('properties that are all content are none for others', () => {
  const { properties } = message;
  const { user_properties } = properties;
  const packet = { type: 'publish', properties: { user_properties } };
  const shown = recordOf(JSON.stringify({ kind: 'packet', packet }), false);
  expect(shown).toEqual({ kind: 'packet', packet: { type: 'publish' } });
});
