import { describe, expect, it } from '@jest/globals';
import { answerTo, controlOf, type Control } from './control.ts';

const NODE = { nodeId: 'n1', incarnation: 7 };
const QUEUE = { rule: 'r', kind: 'spool', done: 1, last: 2 } as const;

const read = (control: unknown): Control | undefined =>
  controlOf(JSON.parse(JSON.stringify(control)));

describe('a control message', () => {
  it.each<Control>([
    { kind: 'applied', incarnation: 1, sequence: 2 },
    { kind: 'applied-wanted', incarnation: 1 },
    { kind: 'request', id: 3, request: { kind: 'bridge-progress' } },
    {
      kind: 'request',
      id: 3,
      request: { kind: 'release-session', clientId: 'c', epoch: 4, isRouted: true },
    },
    answerTo({ id: 3 }, undefined),
    answerTo({ id: 3 }, { backlogs: [] }),
    answerTo({ id: 3 }, { backlogs: [{ node: NODE, queues: [QUEUE] }] }),
    answerTo({ id: 3 }, { backlogs: [{ node: NODE, queues: [] }] }),
  ])('is read as it was written: %j', (control) => {
    expect(read(control)).toEqual(control);
  });

  it('may tell of a node of which nothing is known', () => {
    const control = answerTo({ id: 3 }, { backlogs: [{ node: NODE, queues: undefined }] });
    expect(read(control)).toEqual({ ...control, backlogs: [{ node: NODE, queues: undefined }] });
  });

  it('takes no room for backlogs that are not there', () => {
    expect(answerTo({ id: 3 }, { backlogs: [] })).toEqual({
      kind: 'answer',
      id: 3,
      outcome: 'done',
    });
  });

  it.each([
    ['backlogs', 'x'],
    ['a backlog', ['x']],
    ['a node', [{ node: 1, queues: [] }]],
    ['a node id', [{ node: { ...NODE, nodeId: 'a b' }, queues: [] }]],
    ['an incarnation', [{ node: { ...NODE, incarnation: -1 }, queues: [] }]],
    ['queues', [{ node: NODE, queues: 'x' }]],
    ['a queue', [{ node: NODE, queues: [null] }]],
    ['a kind', [{ node: NODE, queues: [{ ...QUEUE, kind: 'x' }] }]],
    ['a place', [{ node: NODE, queues: [{ ...QUEUE, last: '2' }] }]],
  ])('is refused when %s makes no sense', (_, backlogs) => {
    expect(read({ kind: 'answer', id: 3, outcome: 'done', backlogs })).toBeUndefined();
  });

  it.each([[null], ['x'], [{}], [{ kind: 'request', id: 1, request: { kind: 'other' } }]])(
    'is refused when it is none: %j',
    (value) => {
      expect(read(value)).toBeUndefined();
    },
  );
});
