import type { AddressInfo, Server as NetServer } from 'node:net';
import { ServerTCP } from '@nestjs/microservices';
import { defer, throwError } from 'rxjs';
import type { Log } from '#libs/broker-ports';
import { anyPattern, nodePattern, type CommandChannel } from './command-transport.ts';
import { TransportLogger } from './connection-log.ts';
import { PatientServerRedis } from './redis-transport.ts';

/** What a command server is made with. */
export interface NodeCommandServerOptions<Command, Reply> {
  readonly channel: CommandChannel;
  readonly nodeId: string;
  /** Answers a command addressed to this node; a failure is a reply, not a rejection. */
  readonly handle: (command: Command) => Promise<Reply>;
  /** Whether a command may be answered by every node at once: true only for questions that change nothing. */
  readonly answersAny: (command: Command) => boolean;
  readonly log: Log;
}

const NOT_FOR_ANY = throwError(() => 'This command must be addressed to one node');

class QuietServerTcp extends ServerTCP {
  protected override readonly logger: TransportLogger;

  constructor(address: { readonly host: string; readonly port: number }, log: Log) {
    super(address);
    this.logger = new TransportLogger(log);
  }
}

/** Takes commands for a node from the admin API. */
export class NodeCommandServer<Command, Reply> {
  readonly #server: PatientServerRedis | QuietServerTcp;

  constructor(options: NodeCommandServerOptions<Command, Reply>) {
    const { channel, nodeId, handle, answersAny, log } = options;
    const { transport } = channel;
    this.#server =
      transport.kind === 'redis'
        ? new PatientServerRedis({ ...transport, scope: channel.scope }, log)
        : new QuietServerTcp(transport, log);
    // Observables: Nest answers their failure, and leaves that of a promise without an answer.
    this.#server.addHandler(nodePattern(channel, nodeId), (command: Command) =>
      Promise.resolve(defer(() => handle(command))),
    );
    this.#server.addHandler(anyPattern(channel), (command: Command) =>
      Promise.resolve(answersAny(command) ? defer(() => handle(command)) : NOT_FOR_ANY),
    );
  }

  /** Begins to take commands. Rejects when the TCP port cannot be had; Redis may come later. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#server instanceof ServerTCP) this.#server.on('error', reject);
      void this.#server.listen((error) =>
        error === undefined ? resolve() : reject(toError(error)),
      );
    });
  }

  /** The TCP port; 0 with Redis. */
  get port(): number {
    if (!(this.#server instanceof ServerTCP)) return 0;
    return (this.#server.unwrap<NetServer>().address() as AddressInfo).port;
  }

  /** Whether commands can arrive: with Redis, whether its connections are up. */
  get connected(): boolean {
    return this.#server instanceof ServerTCP || this.#server.connected;
  }

  /** Takes no more commands. */
  async close(): Promise<void> {
    await this.#server.close();
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
