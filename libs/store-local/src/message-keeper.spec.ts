import { describe, expect, it } from '@jest/globals';
import { comparable, messageOf } from '#libs/testkit';
import { MessageKeeper } from './message-keeper.ts';

/** A view of a few bytes in a received chunk. */
function viewOf(...bytes: readonly number[]): Uint8Array {
  const chunk = new Uint8Array(65_536);
  chunk.set(bytes, 100);
  return chunk.subarray(100, 100 + bytes.length);
}

describe('MessageKeeper', () => {
  it('does not let a small view pin its chunk', () => {
    const properties = { correlationData: viewOf(4, 5), contentType: 'x' };
    const message = messageOf({ payload: viewOf(1, 2, 3), properties });
    const kept = new MessageKeeper().keep(message);
    expect(comparable(kept)).toEqual(comparable(message));
    expect(kept.payload.buffer.byteLength).toBe(3);
    expect(kept.properties?.correlationData?.buffer.byteLength).toBe(2);
  });

  it('copies the message of many queues once', () => {
    const keeper = new MessageKeeper();
    const message = messageOf({ payload: viewOf(1) });
    const kept = keeper.keep(message);
    expect(keeper.keep(message)).toBe(kept);
    expect(keeper.keep(messageOf({ payload: viewOf(2) })).payload).toEqual(Uint8Array.of(2));
  });

  it('does not copy bytes of their own', () => {
    const message = messageOf({ payload: new Uint8Array(10) });
    expect(new MessageKeeper().keep(message)).toBe(message);
  });
});
