import { freePort } from '#libs/testkit';
import { Ops, spawnApp, type AppOptions, type Settings } from './app.ts';
import type { Child } from './child.ts';
import type { Scope } from './scope.ts';

let nodes = 0;

/** A broker node as a process of its own, on free loopback ports that it keeps over restarts. */
export class Broker {
  readonly id: string;
  readonly port: number;
  readonly url: string;
  readonly wsUrl: string;
  readonly ops: Ops;
  readonly #scope: Scope;
  readonly #settings: Settings;
  #child: Child | undefined;

  private constructor(scope: Scope, settings: Settings, ports: readonly number[]) {
    const [tcp = 0, ws = 0, ops = 0, commands = 0] = ports;
    nodes += 1;
    this.id = `node${String(nodes)}`;
    this.port = tcp;
    this.url = `mqtt://127.0.0.1:${String(tcp)}`;
    this.wsUrl = `ws://127.0.0.1:${String(ws)}/mqtt`;
    this.ops = new Ops(ops);
    this.#scope = scope;
    this.#settings = {
      NODE_ID: this.id,
      LISTENERS_TCP_PORT: tcp,
      LISTENERS_WS_PORT: ws,
      OPS_PORT: ops,
      COMMANDS_PORT: commands,
      ...settings,
    };
  }

  /** A node that has not been started yet. */
  static async prepare(scope: Scope, settings: Settings = {}): Promise<Broker> {
    const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    return new Broker(scope, settings, ports);
  }

  /** A node that is ready. */
  static async start(
    scope: Scope,
    settings: Settings = {},
    options: Pick<AppOptions, 'nodeArgs'> = {},
  ): Promise<Broker> {
    const broker = await Broker.prepare(scope, settings);
    await broker.start(options);
    return broker;
  }

  /** Its settings, for an API that is to find it. */
  get settings(): Settings {
    return this.#settings;
  }

  get child(): Child {
    if (this.#child === undefined) throw new Error(`${this.id} was not started`);
    return this.#child;
  }

  /** Starts the process without waiting for it. */
  launch(options: Pick<AppOptions, 'nodeArgs'> = {}): void {
    this.#child = spawnApp(this.#scope, 'broker', { settings: this.#settings, ...options });
  }

  /** Starts the process, also again, and waits until it is ready. */
  async start(options: Pick<AppOptions, 'nodeArgs'> = {}): Promise<void> {
    this.launch(options);
    await this.ops.ready(this.child);
  }

  /** SIGTERM. @throws Error unless it ends with exit code 0. */
  async stop(): Promise<void> {
    const code = await this.child.stop();
    if (code !== 0) throw new Error(`${this.id} ended with ${String(code)}:\n${this.child.output}`);
  }

  kill(): Promise<void> {
    return this.child.kill();
  }
}
