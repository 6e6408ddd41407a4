import { describe, expect, it } from '@jest/globals';
import type { SinkRecord } from '#libs/bridge';
import { batchBody, singleBody } from './http-body.ts';

const record = (changes: Partial<SinkRecord> = {}): SinkRecord => ({
  target: '/',
  key: Buffer.from('d1'),
  value: Buffer.from('{"on":true}'),
  headers: {},
  timestampMs: 1_700_000_000_000,
  ...changes,
});

describe('singleBody', () => {
  it('is the value, with the headers of the record', () => {
    const headers = {
      'mqtt-topic': 'a/b c',
      'up.colour': ['red', 'blue'],
      bytes: Buffer.from('x'),
    };
    const { headers: posted, body } = singleBody(record({ headers }));
    expect(String(body)).toBe('{"on":true}');
    expect(posted).toEqual({ 'content-type': 'application/octet-stream', ...headers, bytes: 'x' });
  });

  it('names the type that the publisher gave', () => {
    const { headers } = singleBody(record({ headers: { 'content-type': 'text/plain' } }));
    expect(headers).toEqual({ 'content-type': 'text/plain' });
  });

  it('encodes what a header may not hold, so that no client can add one', () => {
    const headers = {
      topic: ' é/100%/\r\nHost: evil ',
      'up.Größe \r\n': 'x',
      bytes: Buffer.of(0, 255),
    };
    expect(singleBody(record({ headers })).headers).toEqual({
      'content-type': 'application/octet-stream',
      topic: '%20%C3%A9/100%25/%0D%0AHost: evil%20',
      'up.gr%c3%b6%c3%9fe%20%0d%0a': 'x',
      bytes: '%00%FF',
    });
  });

  it('leaves out what would change how the request is read', () => {
    const headers = {
      'Content-Length': '0',
      'transfer-encoding': 'chunked',
      HOST: 'evil',
      '': 'x',
    };
    expect(singleBody(record({ headers })).headers).toEqual({
      'content-type': 'application/octet-stream',
    });
  });
});

describe('batchBody', () => {
  const item = {
    key: 'd1',
    timestamp: '2023-11-14T22:13:20.000Z',
    headers: {},
    payload: '{"on":true}',
    payload_encoding: 'plain',
  };

  it('is an array', () => {
    const { headers, body } = batchBody([record(), record()], 'json');
    expect(headers).toEqual({ 'content-type': 'application/json' });
    expect(JSON.parse(String(body))).toEqual([item, item]);
  });

  it('is lines', () => {
    const { headers, body } = batchBody(
      [record(), record({ value: Buffer.from('a\nb') })],
      'ndjson',
    );
    expect(headers).toEqual({ 'content-type': 'application/x-ndjson' });
    const lines = String(body).split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      item,
      { ...item, payload: 'a\nb' },
    ]);
  });

  it('says where bytes are no text', () => {
    const bytes = Buffer.of(255, 0);
    const headers = { id: bytes, text: Buffer.from('é'), list: ['a', 'b'] };
    const { body } = batchBody([record({ key: bytes, value: bytes, headers })], 'json');
    expect(JSON.parse(String(body))).toEqual([
      {
        ...item,
        key: { base64: '/wA=' },
        headers: { id: { base64: '/wA=' }, text: 'é', list: ['a', 'b'] },
        payload: '/wA=',
        payload_encoding: 'base64',
      },
    ]);
  });
});
