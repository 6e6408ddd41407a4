import {
  parseTraceparent,
  type Log,
  type LogFields,
  type NodeAdmin,
  type NodeRef,
  type SessionStore,
} from '#libs/broker-ports';
import {
  isBackupCommand,
  isAlarmCommand,
  isConfigCommand,
  type ConfigCommand,
  type ListenerCommand,
  isDiagnosticsCommand,
  isListenerCommand,
  isSessionCommand,
  isDrainCommand,
  isScheduleCommand,
  isStatsCommand,
  isSystemCommand,
  isTopicCommand,
  type NodeAnswers,
  type NodeCommand,
  type NodeReply,
  type WireOrigin,
  type WithOrigin,
  type TopicCommand,
  type StatsCommand,
  type DiagnosticsCommand,
  type AlarmCommand,
} from '#libs/api-contracts';
import type { AuthBackends } from '../auth-backends.ts';
import type { AlarmBook } from '../insight/alarm-book.ts';
import type { Diagnosis } from '../insight/diagnosis.ts';
import { AccessCommands, type AccessCommandsOptions } from './access-commands.ts';
import { BackupCommands } from './backup-commands.ts';
import type { ConfigCommands } from './config-commands.ts';
import type { ListenerCommands } from './listener-commands.ts';
import { answerOnBridges } from './bridge-work-commands.ts';
import { BanCommands, type BanCommandsOptions } from './ban-commands.ts';
import { BridgeCommands, type BridgeCommandsOptions } from './bridge-commands.ts';
import {
  MessageCommands,
  isMessageCommand,
  type MessageCommandsOptions,
} from './message-commands.ts';
import type { DrainCommands } from './drain-commands.ts';
import { answerStream, isStreamCommand, type StreamCommandsOptions } from './stream-commands.ts';
import { answerOnStats, type StatsCommandsOptions } from './stats-commands.ts';
import { answerOnTopics, type TopicCommandsOptions } from './topic-commands.ts';
import { answerTrace, isTraceCommand } from './trace-commands.ts';
import type { NodeTraces } from '../streams/node-traces.ts';
import type { ScheduleCommands } from './schedule-commands.ts';
import type { SystemCommands } from './system-commands.ts';
import { DeadLetterCommands, type DeadLetterCommandsOptions } from './dead-letter-commands.ts';
import { UserCommands, type UserCommandsOptions } from './user-commands.ts';
import { SessionCommands, type SessionCommandsOptions } from './session-commands.ts';

/** What a node notes about itself. */
type InsightCommand = StatsCommand | AlarmCommand | DiagnosticsCommand | TopicCommand;
type InsightAnswer = NodeAnswers[InsightCommand['kind']];

/** The parts of a node that commands reach. */
export interface NodeCommandHandlerOptions {
  readonly admin: NodeAdmin;
  readonly messages: MessageCommandsOptions;
  readonly sessions: SessionCommandsOptions['store'] & Pick<SessionStore, 'read'>;
  readonly streams: StreamCommandsOptions & { readonly traces: Pick<NodeTraces, 'sync' | 'read'> };
  readonly topics: TopicCommandsOptions;
  readonly stats: StatsCommandsOptions;
  readonly alarms: Pick<AlarmBook, 'answer'>;
  readonly diagnosis: Pick<Diagnosis, 'answer'>;
  readonly schedules: ScheduleCommands;
  readonly bridges: BridgeCommandsOptions;
  readonly access: AccessCommandsOptions;
  readonly auth: Pick<AuthBackends, 'shown' | 'put' | 'try'>;
  readonly bans: BanCommandsOptions;
  readonly users: UserCommandsOptions;
  readonly system: Pick<SystemCommands, 'answer'>;
  readonly deadLetters: DeadLetterCommandsOptions;
  readonly drains: Pick<DrainCommands, 'answer'>;
  readonly settings: Pick<ConfigCommands, 'answer'>;
  readonly listeners: Pick<ListenerCommands, 'answer'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly log: Log;
}

type SettingAnswer = NodeAnswers[(ConfigCommand | ListenerCommand)['kind']];

/** Carries out what the admin API asks of this node. */
export class NodeCommandHandler {
  readonly #options: NodeCommandHandlerOptions;
  readonly #bridges: BridgeCommands;
  readonly #access: AccessCommands;
  readonly #bans: BanCommands;
  readonly #messages: MessageCommands;
  readonly #deadLetters: DeadLetterCommands;
  readonly #users: UserCommands;
  readonly #sessions: SessionCommands;
  readonly #backups: BackupCommands;

  constructor(options: NodeCommandHandlerOptions) {
    this.#options = options;
    this.#bridges = new BridgeCommands(options.bridges);
    this.#access = new AccessCommands(options.access);
    this.#bans = new BanCommands(options.bans);
    this.#messages = new MessageCommands(options.messages);
    this.#deadLetters = new DeadLetterCommands(options.deadLetters);
    this.#users = new UserCommands(options.users);
    this.#sessions = new SessionCommands({
      ...{ admin: options.admin, store: options.sessions },
      checkAccess: (command) => this.#access.check(command),
    });
    const { retained, delayed, delays } = options.messages;
    this.#backups = new BackupCommands({
      ...{ admin: options.admin, sessions: options.sessions, nowMs: options.now },
      ...{ retained, delayed, delays },
    });
  }

  /** Whether every node may answer the command at once. */
  static answersAny(this: void, command: NodeCommand): boolean {
    return command.kind === 'nodes';
  }

  /** Never rejects: a failure is a reply, and its cause is in this node's log. */
  async handle({ origin, ...command }: NodeCommand & WithOrigin): Promise<NodeReply> {
    const { log } = this.#options;
    if (origin !== undefined)
      log.debug('node-command', { command: command.kind, ...loggedOf(origin) });
    try {
      const answer = await this.#answer(command, origin);
      return answer === undefined
        ? { kind: 'failed', code: 'unsupported' }
        : { kind: 'done', answer };
    } catch (error) {
      const code = (error as { readonly code?: unknown } | undefined)?.code;
      if (code === 'STORE_UNAVAILABLE') return { kind: 'failed', code: 'storage-unavailable' };
      log.error('node-command-failed', {
        ...{ command: command.kind, ...loggedOf(origin) },
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      return { kind: 'failed', code: 'internal' };
    }
  }

  /** Undefined for a command of a later version of the API. */
  async #answer(
    command: NodeCommand,
    origin?: WireOrigin,
  ): Promise<NodeAnswers[NodeCommand['kind']] | undefined> {
    const { system, drains, streams, admin } = this.#options;
    if (isSystemCommand(command)) return system.answer(command);
    if (isConfigCommand(command) || isListenerCommand(command)) return this.#set(command);
    if (isDrainCommand(command)) return drains.answer(command);
    if (BanCommands.takes(command)) return this.#bans.handle(command);
    if (isMessageCommand(command)) return this.#messages.answer(command, origin);
    if (isBackupCommand(command)) return this.#backups.answer(command);
    if (isSessionCommand(command)) return this.#sessions.answer(command);
    if (isStreamCommand(command)) return answerStream(streams, command);
    if (isOnInsight(command)) return this.#insight(command);
    if (isTraceCommand(command)) return answerTrace(streams.traces, command);
    if (isScheduleCommand(command)) return this.#options.schedules.answer(command);
    switch (command.kind) {
      case 'nodes':
        return { nodes: admin.nodes() };
      case 'status':
        return admin.status();
      case 'bridges':
        return { bridges: await this.#bridges.bridges() };
      case 'test-bridge':
        return this.#bridges.test(command);
      case 'put-bridge':
        return this.#bridges.putBridge(command);
      case 'remove-bridge':
        return this.#bridges.removeBridge(command);
      case 'rules':
        return await this.#bridges.list();
      case 'rule-states':
        return { states: this.#bridges.states() };
      case 'restart-bridge':
      case 'bridge-metrics':
      case 'reset-bridge-metrics':
      case 'order-rules':
        return await answerOnBridges(this.#options.bridges, command);
      case 'dead-letters':
      case 'remove-dead-letters':
      case 'replay-dead-letters':
        return this.#deadLetters.answer(command);
      case 'put-rule':
        return this.#bridges.put(command);
      case 'remove-rule':
        return this.#bridges.remove(command);
      case 'try-rule':
        return this.#bridges.tryRule(command, { source: this.#source, nowMs: this.#options.now() });
      case 'auth':
        return await this.#options.auth.shown();
      case 'put-auth':
        return this.#options.auth.put(command);
      case 'try-login':
        return this.#options.auth.try(command.backend, command.login, command.withinMs);
      case 'acl':
        return this.#access.acl();
      case 'put-acl':
        return this.#access.putAcl(command);
      case 'simulate-access':
        return this.#access.simulate(command);
      case 'users':
      case 'users-with-credentials':
      case 'user':
      case 'put-user':
      case 'remove-user':
        return this.#users.answer(command);
      default:
        return undefined;
    }
  }

  #set(command: ConfigCommand | ListenerCommand): Promise<SettingAnswer> | SettingAnswer {
    const { settings, listeners } = this.#options;
    return isConfigCommand(command) ? settings.answer(command) : listeners.answer(command);
  }

  #insight(command: InsightCommand): InsightAnswer | Promise<InsightAnswer> {
    const { stats, alarms, diagnosis, topics } = this.#options;
    if (isStatsCommand(command)) return answerOnStats(stats, command);
    if (isAlarmCommand(command)) return alarms.answer(command);
    if (isDiagnosticsCommand(command)) return diagnosis.answer(command);
    return answerOnTopics(topics, command);
  }

  get #source(): NodeRef {
    const { nodeId, incarnation } = this.#options.admin.status().node;
    return { nodeId, incarnation };
  }
}

function isOnInsight(command: NodeCommand): command is InsightCommand {
  return [isStatsCommand, isAlarmCommand, isDiagnosticsCommand, isTopicCommand].some((isOfGroup) =>
    isOfGroup(command),
  );
}

/** A request in the log, with its place in a trace as logs of traces call it. */
function loggedOf(origin: WireOrigin | undefined): LogFields {
  const found = origin?.traceparent && parseTraceparent(origin.traceparent);
  if (!found) return { ...origin };
  const { traceId: trace_id, spanId: span_id } = found.context;
  return { ...origin, trace_id, span_id };
}
