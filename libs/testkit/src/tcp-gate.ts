import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A way to a loopback port that can be cut: for one client a partition, while the server lives on. */
export interface TcpGate {
  readonly port: number;
  /** Cuts all connections and lets none through. */
  shut(): void;
  /** Lets new connections through again. */
  open(): void;
  /** Cuts all connections and frees the port. */
  close(): Promise<void>;
}

/** Opens a gate to a port of this host. */
export async function openTcpGate(targetPort: number): Promise<TcpGate> {
  const sockets = new Set<Socket>();
  let isOpen = true;
  const server = createServer((client) => {
    if (!isOpen) {
      client.destroy();
      return;
    }
    const target = connect(targetPort, '127.0.0.1');
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const shut = (): void => {
    isOpen = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: address.port,
    shut,
    open: () => {
      isOpen = true;
    },
    close: async () => {
      shut();
      server.close();
      await once(server, 'close');
    },
  };
}
