import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { HostileStream, HostileStreams } from './hostile-streams.ts';

const AT_ONCE = 32;
const CLOSE_DEADLINE_MS = 30_000;

/** Sends so many streams to a port, some at a time; each is over when its connection is closed. */
export async function attack(port: number, streams: HostileStreams, count: number): Promise<void> {
  let left = count;
  const attacker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await send(port, streams.next());
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, attacker));
}

async function send(port: number, { bytes, byteByByte }: HostileStream): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  // A reset is a way to say no.
  socket.on('error', () => undefined);
  socket.resume();
  const closed = once(socket, 'close', { signal: AbortSignal.timeout(CLOSE_DEADLINE_MS) });
  if (byteByByte) {
    for (const byte of bytes) {
      socket.write(Uint8Array.of(byte));
      await nextTurn();
    }
    socket.end();
  } else {
    socket.end(bytes);
  }
  try {
    await closed;
  } catch (cause) {
    socket.destroy();
    throw new Error(`no end after ${bytes.toString('hex')}`, { cause });
  }
}
