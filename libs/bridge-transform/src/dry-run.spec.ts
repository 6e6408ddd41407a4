import { describe, expect, it } from '@jest/globals';
import { messageOf } from '#libs/testkit';
import { dryRun } from './dry-run.ts';
import { DEFAULT_TRANSFORM_LIMITS } from './limits.ts';
import { MessageDocument } from './message-document.ts';

const sample = (payload: string): MessageDocument =>
  new MessageDocument(messageOf({ payload: Buffer.from(payload) }));

describe('a dry run', () => {
  it('tells what each expression gives', () => {
    const expressions = {
      value: '{"t": payload.t}',
      where: 'payload.t > 1',
      key: 'payload.id',
      'headers.t': 'payload.t',
    };
    expect(dryRun(expressions, sample('{"t":2,"id":"x"}'))).toEqual([
      { ok: true, stage: 'where', result: true },
      { ok: true, stage: 'value', result: '{"t":2}' },
      { ok: true, stage: 'key', result: 'x' },
      { ok: true, stage: 'headers.t', result: '2' },
    ]);
  });

  it('ends with a filter that does not let the message pass', () => {
    expect(dryRun({ where: 'payload.t > 1', key: 'topic' }, sample('{"t":1}'))).toEqual([
      { ok: true, stage: 'where', result: false },
    ]);
  });

  it('names stage, code and position of what goes wrong', () => {
    const steps = dryRun({ key: 'payload.x', value: 'temp', path: 'payloadText' }, sample('{}'));
    expect(steps).toMatchObject([
      { ok: false, stage: 'key', field: 'key', code: 'RESULT_MISSING' },
      { ok: false, stage: 'value', field: 'value', code: 'EXPRESSION_INVALID', position: 4 },
      { ok: true, stage: 'path', result: '{}' },
    ]);
    expect(dryRun({ where: 'payload.x' }, sample('text'))).toMatchObject([
      { ok: false, stage: 'payload', field: 'where', code: 'PAYLOAD_NOT_JSON' },
    ]);
  });

  it('writes bytes that are not text in base64', () => {
    expect(dryRun({ value: '$bytes("/w==")' }, sample('{}'))).toEqual([
      { ok: true, stage: 'value', result: '/w==', encoding: 'base64' },
    ]);
  });

  it('obeys the limits it is given', () => {
    const limits = { ...DEFAULT_TRANSFORM_LIMITS, stepsMax: 10 };
    expect(dryRun({ value: '$sum([1..100].($ * 2))' }, sample('{}'), limits)).toMatchObject([
      { ok: false, code: 'LIMIT_STEPS' },
    ]);
  });
});
