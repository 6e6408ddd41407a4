import { describe, expect, it } from '@jest/globals';
import type { SessionOperation } from '#libs/broker-ports';
import { queuedOf } from '#libs/testkit';
import { sessionCalls } from './session-call.ts';

const by = { clientId: 'c', epoch: 7 };

function append(sequence: number, payloadBytes = 1): SessionOperation {
  const payload = new Uint8Array(payloadBytes);
  return {
    ...by,
    kind: 'append',
    queued: queuedOf({ epoch: 7, sequence }, { payload }),
    once: false,
  };
}

function settle(...sequences: readonly number[]): SessionOperation {
  const positions = sequences.map((sequence) => ({ epoch: 7, sequence }));
  return { ...by, kind: 'settle', positions };
}

/** The calls' arguments without epoch, slack and message bytes. */
function encoded(...operations: readonly SessionOperation[]): string[][] {
  return sessionCalls(operations).map((call) =>
    call
      .encode()
      .slice(2)
      .filter((argument) => typeof argument === 'string'),
  );
}

describe('the calls of a turn', () => {
  it('settle once, after all appends', () => {
    expect(encoded(append(1), settle(1), append(2), settle(2))).toEqual([
      ['append', '2', '7-1', '', '7-2', '', 'settle', '2', '7-1', '7-2'],
    ]);
  });

  it('join packet ids as long as their order does not matter', () => {
    const operations = [
      { ...by, kind: 'receive', packetId: 1 },
      { ...by, kind: 'complete', packetId: 9 },
      { ...by, kind: 'receive', packetId: 2 },
      { ...by, kind: 'forget', packetId: 1 },
      { ...by, kind: 'receive', packetId: 1 },
    ] as const;
    expect(encoded(...operations)).toEqual([
      ['receive', '2', '1', '2', 'complete', '1', '9', 'forget', '1', '1', 'receive', '1', '1'],
    ]);
  });

  it('keep sessions and epochs apart', () => {
    const calls = sessionCalls([
      append(1),
      { ...append(1), clientId: 'd' },
      append(2),
      { ...append(3), epoch: 8 },
    ]);
    expect(calls.map(({ clientId, epoch, indexes }) => [clientId, epoch, indexes])).toEqual([
      ['c', 7, [0, 2]],
      ['d', 7, [1]],
      ['c', 8, [3]],
    ]);
  });

  it('end with the session, by discard or by an interval of 0', () => {
    const disconnect = { ...by, kind: 'disconnect', nowMs: 5, expiryIntervalSeconds: 0 } as const;
    expect(encoded(append(1), disconnect, append(2))).toEqual([
      ['discard', '0'],
      ['append', '1', '7-2', ''],
    ]);
    expect(encoded({ ...by, kind: 'discard' }, { ...by, kind: 'discard' })).toHaveLength(2);
  });

  it('leave the end of the connection to the end', () => {
    const disconnect = { ...by, kind: 'disconnect', nowMs: 5, expiryIntervalSeconds: 60 } as const;
    expect(encoded(disconnect, append(1))).toEqual([
      ['append', '1', '7-1', '', 'disconnect', '4', '5', '60', '', ''],
    ]);
    const willDueAtMs = 9;
    const forget = { ...by, kind: 'forget-will' } as const;
    expect(encoded({ ...disconnect, willDueAtMs }, forget, append(1))).toEqual([
      ['append', '1', '7-1', '', 'disconnect', '4', '5', '60', '9', '', 'forget-will', '0'],
    ]);
  });

  it('hold a bounded number of writes', () => {
    const appends = Array.from({ length: 1_200 }, (_, index) => append(index + 1));
    expect(sessionCalls(appends).map(({ indexes }) => indexes.length)).toEqual([500, 500, 200]);
    const sequences = Array.from({ length: 20_000 }, (_, index) => index + 1);
    expect(encoded(settle(...sequences))).toHaveLength(40);
    const filters = sequences.map((sequence) => `f/${String(sequence)}`);
    expect(encoded({ ...by, kind: 'unsubscribe', filters })).toHaveLength(40);
  });

  it('hold a bounded number of bytes', () => {
    const appends = [1, 2, 3, 4, 5].map((sequence) => append(sequence, 600_000));
    expect(sessionCalls(appends).map(({ indexes }) => indexes.length)).toEqual([2, 2, 1]);
  });

  it('answer an operation without content, too', () => {
    expect(sessionCalls([settle()]).map(({ indexes }) => indexes)).toEqual([[0]]);
    expect(encoded(settle())).toEqual([[]]);
  });
});
