import type { Log, NodeAdmin, NodeRef, RetainedStore } from '#libs/broker-ports';
import {
  isSystemCommand,
  type CommandOf,
  type NodeAnswers,
  type NodeCommand,
  type NodeReply,
  type WirePage,
  type WireRetained,
} from '#libs/api-contracts';
import { AccessCommands, type AccessCommandsOptions } from './access-commands.ts';
import { answerOnBridges } from './bridge-work-commands.ts';
import { BanCommands, type BanCommandsOptions } from './ban-commands.ts';
import { BridgeCommands, type BridgeCommandsOptions } from './bridge-commands.ts';
import type { SystemCommands } from './system-commands.ts';
import { UserCommands, type UserCommandsOptions } from './user-commands.ts';
import { injectedOf, wireRetainedOf } from './wire.ts';

/** The parts of a node that commands reach. */
export interface NodeCommandHandlerOptions {
  readonly admin: NodeAdmin;
  readonly retained: RetainedStore;
  readonly bridges: BridgeCommandsOptions;
  readonly access: AccessCommandsOptions;
  readonly bans: BanCommandsOptions;
  readonly users: UserCommandsOptions;
  readonly system: Pick<SystemCommands, 'answer'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: Log;
}

/** A node bounds its own work, whatever it is asked. */
const PAGE_LIMIT_MAX = 1_000;

/** A page of retained messages ends after this many bytes of payload, and holds one message at least. */
const PAGE_PAYLOAD_BYTES_MAX = 4 * 1024 * 1024;

/** Carries out what the admin API asks of this node. */
export class NodeCommandHandler {
  readonly #options: NodeCommandHandlerOptions;
  readonly #bridges: BridgeCommands;
  readonly #access: AccessCommands;
  readonly #bans: BanCommands;
  readonly #users: UserCommands;

  constructor(options: NodeCommandHandlerOptions) {
    this.#options = options;
    this.#bridges = new BridgeCommands(options.bridges);
    this.#access = new AccessCommands(options.access);
    this.#bans = new BanCommands(options.bans);
    this.#users = new UserCommands(options.users);
  }

  /** Whether every node may answer the command at once. */
  static answersAny(this: void, command: NodeCommand): boolean {
    return command.kind === 'nodes';
  }

  /** Never rejects: a failure is a reply, and its cause is in this node's log. */
  async handle(command: NodeCommand): Promise<NodeReply> {
    try {
      const answer = await this.#answer(command);
      return answer === undefined
        ? { kind: 'failed', code: 'unsupported' }
        : { kind: 'done', answer };
    } catch (error) {
      const code = (error as { readonly code?: unknown } | undefined)?.code;
      if (code === 'STORE_UNAVAILABLE') return { kind: 'failed', code: 'storage-unavailable' };
      this.#options.log.error('node-command-failed', {
        command: command.kind,
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      return { kind: 'failed', code: 'internal' };
    }
  }

  /** Undefined for a command of a later version of the API. */
  async #answer(command: NodeCommand): Promise<NodeAnswers[NodeCommand['kind']] | undefined> {
    const { admin, system } = this.#options;
    if (isSystemCommand(command)) return system.answer(command);
    if (BanCommands.takes(command)) return this.#bans.handle(command);
    switch (command.kind) {
      case 'nodes':
        return { nodes: admin.nodes() };
      case 'status':
        return admin.status();
      case 'clients':
        return admin.clients(bounded(command.query));
      case 'client':
        return { client: admin.client(command.clientId) };
      case 'disconnect':
        return { found: await admin.disconnect(command.clientId, command.endSession) };
      case 'subscriptions':
        return admin.subscriptions(bounded(command.query));
      case 'publish':
        return this.#publish(command);
      case 'retained':
        return this.#listRetained(command);
      case 'clear-retained':
        return this.#clearRetained(command.topic);
      case 'bridges':
        return { bridges: await this.#bridges.bridges() };
      case 'test-bridge':
        return this.#bridges.test(command);
      case 'put-bridge':
        return this.#bridges.putBridge(command);
      case 'remove-bridge':
        return this.#bridges.removeBridge(command);
      case 'rules':
        return { rules: await this.#bridges.list() };
      case 'rule-states':
        return { states: this.#bridges.states() };
      case 'restart-bridge':
      case 'bridge-metrics':
      case 'reset-bridge-metrics':
        return answerOnBridges(this.#options.bridges.bridge, command);
      case 'put-rule':
        return this.#bridges.put(command);
      case 'remove-rule':
        return this.#bridges.remove(command);
      case 'try-rule':
        return this.#bridges.tryRule(command, { source: this.#source, nowMs: this.#options.now() });
      case 'acl':
        return this.#access.acl();
      case 'put-acl':
        return this.#access.putAcl(command);
      case 'simulate-access':
        return this.#access.simulate(command);
      case 'users':
        return this.#users.users(bounded(command));
      case 'user':
        return this.#users.user(command);
      case 'put-user':
        return this.#users.put(command);
      case 'remove-user':
        return this.#users.remove(command);
      default:
        return undefined;
    }
  }

  get #source(): NodeRef {
    const { nodeId, incarnation } = this.#options.admin.status().node;
    return { nodeId, incarnation };
  }

  async #publish({ message }: CommandOf<'publish'>): Promise<NodeAnswers['publish']> {
    const outcome = await this.#options.admin.publish(injectedOf(message));
    return outcome.kind === 'taken' ? outcome : { kind: 'refused', code: outcome.error.code };
  }

  async #listRetained({ query }: CommandOf<'retained'>): Promise<WirePage<WireRetained>> {
    const { payload, ...rest } = query;
    const page = await this.#options.retained.list(bounded(rest));
    const items: WireRetained[] = [];
    let bytes = 0;
    for (const message of page.messages) {
      bytes += payload ? message.payload.byteLength : 0;
      if (items.length > 0 && bytes > PAGE_PAYLOAD_BYTES_MAX) return { items, hasMore: true };
      items.push(wireRetainedOf(message, payload));
    }
    return { items, hasMore: page.nextAfter !== undefined };
  }

  async #clearRetained(topic: string): Promise<NodeAnswers['clear-retained']> {
    const { retained, now } = this.#options;
    const { messages } = await retained.list({ filter: topic, limit: 1 });
    if (messages.length === 0) return { found: false };
    // An empty payload removes [MQTT-3.3.1-6]. The message goes to no subscriber, so it needs no number of its own.
    await retained.store([
      {
        topic,
        payload: new Uint8Array(0),
        qos: 0,
        retain: true,
        publisher: '',
        source: this.#source,
        sequence: 0,
        receivedAtMs: now(),
        expiresAtMs: 0,
        origin: 'admin',
      },
    ]);
    return { found: true };
  }
}

function bounded<Query extends { readonly limit: number }>(query: Query): Query {
  return { ...query, limit: Math.min(Math.max(query.limit, 1), PAGE_LIMIT_MAX) };
}
