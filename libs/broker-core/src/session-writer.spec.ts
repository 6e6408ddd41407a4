import { describe, expect, it } from '@jest/globals';
import type { SessionOperation, SessionWriteOutcome } from '#libs/broker-ports';
import { LocalSessionStore } from '#libs/store-local';
import { RecordingLog } from '#libs/testkit';
import { SessionWriter } from './session-writer.ts';
import { Turn } from './turn.ts';

interface Call {
  readonly resolve: (outcomes: readonly SessionWriteOutcome[]) => void;
  readonly reject: (error: Error) => void;
}

/** Answers when and how it is told to. */
class HeldStore extends LocalSessionStore {
  readonly calls: Call[] = [];

  override write(): Promise<readonly SessionWriteOutcome[]> {
    return new Promise((resolve, reject) => this.calls.push({ resolve, reject }));
  }
}

function setUp() {
  const store = new HeldStore({ clock: () => 0 });
  const log = new RecordingLog();
  const writer = new SessionWriter(store, new Turn(() => undefined), log);
  const told: string[] = [];
  const write = (clientId: string): void => {
    const operation: SessionOperation = { kind: 'complete', packetId: 1, clientId, epoch: 1 };
    writer.add(operation, (result) => told.push(`${clientId} ${result}`));
  };
  return { store, log, writer, told, write };
}

describe('SessionWriter', () => {
  it('tells how writes ended in their order, even if the store answers a later call first', async () => {
    const { store, writer, told, write } = setUp();
    write('a');
    write('b');
    writer.flush();
    write('a');
    writer.flush();
    store.calls[1]?.resolve(['done']);
    await Promise.resolve();
    expect(told).toEqual([]);
    store.calls[0]?.resolve(['done', 'fenced']);
    await writer.idle();
    expect(told).toEqual(['a done', 'b fenced', 'a done']);
  });

  it('tells that a call has failed, and goes on', async () => {
    const { store, log, writer, told, write } = setUp();
    write('a');
    writer.flush();
    write('b');
    writer.flush();
    store.calls[1]?.resolve(['repeat']);
    store.calls[0]?.reject(new Error('away'));
    await writer.idle();
    expect(told).toEqual(['a failed', 'b repeat']);
    expect(log.lines.map(({ event }) => event)).toEqual(['session-write-failed']);
  });
});
