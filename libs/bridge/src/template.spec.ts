import { describe, expect, it } from '@jest/globals';
import { messageOf } from '#libs/testkit';
import { messagePlaceholder, recordPlaceholder, type RecordSource } from './placeholders.ts';
import { Template, TemplateError } from './template.ts';

const message = messageOf({
  topic: 'devices/d1/telemetry',
  publisher: 'c1',
  payload: Buffer.from('{"t":1}'),
  qos: 2,
  source: { nodeId: 'n1', incarnation: 7 },
});
const render = (text: string): string => new Template(text, messagePlaceholder).render(message);

describe('Template', () => {
  it.each([
    ['plain', 'plain'],
    ['', ''],
    ['${clientId}', 'c1'],
    ['${topic}', 'devices/d1/telemetry'],
    ['${topic[0]}.${topic[1]}', 'devices.d1'],
    ['<${topic[9]}>', '<>'],
    ['q${qos} at ${node}: ${payload}', 'q2 at n1: {"t":1}'],
    ['costs $5 {now}', 'costs $5 {now}'],
  ])('renders %s', (text, rendered) => {
    expect(render(text)).toBe(rendered);
  });

  it.each([
    ['${clientid}', '${clientid} is not a known placeholder'],
    ['a ${topic[x]} b', '${topic[x]} is not a known placeholder'],
    ['${toString}', '${toString} is not a known placeholder'],
    ['key-${clientId', '${clientId has no closing brace'],
  ])('refuses %s and names the placeholder', (text, fault) => {
    expect(() => new Template(text, messagePlaceholder)).toThrow(new TemplateError(fault));
  });

  it('passes the bytes of a lone placeholder on, whatever they are', () => {
    const payload = Buffer.from([0xff, 0x00, 0xfe]);
    const template = new Template('${payload}', messagePlaceholder);
    expect(template.bytes(messageOf({ payload }))).toEqual(payload);
  });

  it('knows when it always gives the same text', () => {
    expect(new Template('telemetry', messagePlaceholder).constant).toBe('telemetry');
    expect(new Template('', messagePlaceholder).constant).toBe('');
    expect(new Template('${node}', messagePlaceholder).constant).toBeUndefined();
    expect(new Template('a-${node}', messagePlaceholder).constant).toBeUndefined();
  });

  it.each([
    ['devices/${key}/commands', 'devices/#'],
    ['devices/x${key}', 'devices/#'],
    ['${key}', '#'],
    ['devices/all', 'devices/all'],
    ['/${key}', '/#'],
  ])('has a filter for all that it may give: %s', (text, filter) => {
    expect(new Template(text, recordPlaceholder).filter).toBe(filter);
  });

  it('reads key, place and headers of a consumed record', () => {
    const source: RecordSource = {
      topic: 'commands',
      partition: 2,
      record: {
        offset: '41',
        key: Buffer.from('d1'),
        value: null,
        headers: { kind: Buffer.from('reboot'), twice: [Buffer.from('a'), Buffer.from('b')] },
        timestamp: '0',
      },
    };
    const text =
      '${key}/${topic}/${partition}/${offset}/${headers.kind}/${headers.twice}/${headers.none}';
    expect(new Template(text, recordPlaceholder).render(source)).toBe('d1/commands/2/41/reboot/a/');
    const keyless = { ...source, record: { ...source.record, key: null } };
    expect(new Template('x${key}', recordPlaceholder).render(keyless)).toBe('x');
  });
});
