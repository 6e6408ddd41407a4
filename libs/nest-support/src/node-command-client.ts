import { ClientTCP } from '@nestjs/microservices';
import { firstValueFrom, timeout, type Subscription } from 'rxjs';
import type { Log } from '#libs/broker-ports';
import { anyPattern, nodePattern, type CommandChannel } from './command-transport.ts';
import { ConnectionLog, TransportLogger } from './connection-log.ts';
import { PatientClientRedis } from './redis-transport.ts';

/** What a command client is made with. */
export interface NodeCommandClientOptions {
  readonly channel: CommandChannel;
  readonly log: Log;
}

/**
 * The outcome of a call. `unreachable` with `sent` false: the command never left, nothing was done. With `sent` true the
 * node may have carried it out, or may still do so.
 */
export type NodeCallResult<Reply> =
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'unreachable'; readonly sent: boolean };

class QuietClientTcp extends ClientTCP {
  protected override readonly logger: TransportLogger;
  readonly #state: ConnectionLog;
  readonly #telling: Subscription;

  constructor(address: { readonly host: string; readonly port: number }, log: Log) {
    super(address);
    this.logger = new TransportLogger(log);
    // The API and the node that it belongs to are started together.
    this.#state = new ConnectionLog(log, `tcp ${address.host}:${address.port}`, 'info');
    this.#telling = this.status.subscribe((status) =>
      this.#state.change(status === 'connected', status),
    );
  }

  /** That the connection goes is no news then. */
  override close(): void {
    this.#telling.unsubscribe();
    super.close();
  }
}

/** Asks broker nodes, each call within the time it is given, connecting included; that a node does not answer is a value. */
export class NodeCommandClient<Command, Reply> {
  readonly #client: PatientClientRedis | QuietClientTcp;
  readonly #channel: CommandChannel;

  constructor({ channel, log }: NodeCommandClientOptions) {
    const { transport } = channel;
    this.#client =
      transport.kind === 'redis'
        ? new PatientClientRedis({ ...transport, scope: channel.scope }, log)
        : new QuietClientTcp(transport, log);
    this.#channel = channel;
  }

  /** Asks one node. */
  ask(nodeId: string, command: Command, withinMs: number): Promise<NodeCallResult<Reply>> {
    return this.#call(nodePattern(this.#channel, nodeId), command, withinMs);
  }

  /** Asks whoever is there and takes the first answer. */
  askAny(command: Command, withinMs: number): Promise<NodeCallResult<Reply>> {
    return this.#call(anyPattern(this.#channel), command, withinMs);
  }

  /** Ends the connection; calls under way become unreachable. */
  async close(): Promise<void> {
    await this.#client.close();
  }

  async #call(pattern: string, command: Command, withinMs: number): Promise<NodeCallResult<Reply>> {
    const deadline = performance.now() + withinMs;
    if (!(await this.#connected(withinMs))) return { kind: 'unreachable', sent: false };
    const answer = this.#client
      .send<Reply>(pattern, command)
      .pipe(timeout(Math.max(deadline - performance.now(), 1)));
    try {
      return { kind: 'reply', reply: await firstValueFrom(answer) };
    } catch {
      return { kind: 'unreachable', sent: true };
    }
  }

  async #connected(withinMs: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, withinMs, false);
    });
    const connecting = this.#client.connect().then(
      () => true,
      () => false,
    );
    try {
      return await Promise.race([connecting, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
