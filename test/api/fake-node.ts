import type {
  AccessAnswers,
  AccessCommand,
  BridgeAnswers,
  BridgeCommand,
  AuthCommand,
  BackupCommand,
  BanCommand,
  CommandOf,
  ConfigCommand,
  ListenerCommand,
  DeadLetterAnswers,
  DeadLetterCommand,
  NodeAnswers,
  NodeCommand,
  StreamCommand,
  NodeReply,
  ScheduleCommand,
  WireOrigin,
  WithOrigin,
  TraceCommand,
  UserAnswers,
  UserCommand,
  WireAcl,
  WireAclChange,
  WireBridge,
  WireBridgeChange,
  WireClient,
  WireDeadLetter,
  WireRuleChange,
  WireRuleMetrics,
  WireRuleState,
  WireRuleTrial,
  WireStoredRule,
  WireUser,
  WireUserChange,
  WireTestStep,
} from '#libs/api-contracts';
import { isBackupCommand, isScheduleCommand, isSessionCommand } from '#libs/api-contracts';
import { checkRemoteConnector, type Config, type RemotePolicy } from '#libs/config';
import { FakeDrains } from './fake-drains.ts';
import { FakeSystem } from './fake-system.ts';
import { Tracing } from '#libs/broker-core';
import { NodeCommandServer, commandChannel } from '#libs/nest-support';
import { silentLog } from '#libs/testkit';
import type { AuthBackends } from '../../apps/broker/src/auth-backends.ts';
import { BanCommands } from '../../apps/broker/src/commands/ban-commands.ts';
import { fakeAuth } from './fake-auth.ts';
import { fakeSchedules } from './fake-schedules.ts';
import { FakeBackups } from './fake-backups.ts';
import { FakeBans } from './fake-bans.ts';
import { FakeInsight } from './fake-insight.ts';
import { FakeMessages, isOnMessages } from './fake-messages.ts';
import { FakeListeners } from './fake-listeners.ts';
import { FakeSettings } from './fake-settings.ts';
import { FakeSessions } from './fake-sessions.ts';
import { FakeStreams, isOnStreams } from './fake-streams.ts';
import { answerTrace, isTraceCommand } from '../../apps/broker/src/commands/trace-commands.ts';
import { NodeTraces } from '../../apps/broker/src/streams/node-traces.ts';

/** A client's session with its id and nothing remarkable. */
export const clientOf = (
  clientId: string,
  state: WireClient['state'] = 'connected',
): WireClient => ({
  clientId,
  state,
  version: 4,
  cleanStart: true,
  keepAliveSeconds: 60,
  connectedAtMs: 1_000,
  createdAtMs: 1_000,
  isDurable: true,
  sessionExpirySeconds: 0xffff_ffff,
  subscriptionCount: 1,
  queueMessages: 0,
  queueBytes: 0,
  inflightMessages: 0,
});

/** A node with a few clients in memory, behind a real command server. */
export class FakeNode {
  readonly received: NodeCommand[] = [];
  readonly sessions = new FakeSessions();
  readonly clients = this.sessions.clients;
  readonly bans = new FakeBans();
  acl: Omit<WireAcl, 'fallback'> = { configured: [], stored: [], revision: 0 };
  readonly users = new Map<string, WireUser>();
  readonly credentials = new Map<string, readonly string[]>();
  readonly rules = new Map<string, WireStoredRule>();
  ruleOrder: { readonly ids: readonly string[]; readonly revision: number } = {
    ids: [],
    revision: 0,
  };
  /** What a rule makes of any sample, by its id. */
  readonly trials = new Map<string, WireRuleTrial>();
  states: readonly WireRuleState[] = [];
  bridges: readonly WireBridge[] = [];
  metrics: readonly WireRuleMetrics[] = [];
  readonly letters = new Map<string, WireDeadLetter>();
  readonly unreplayable = new Set<string>();
  readonly steps = new Map<string, readonly WireTestStep[]>();
  /** A frozen node takes commands and answers none. */
  frozen = false;
  /** Which requests its commands came from. */
  readonly origins: (Partial<WireOrigin> & { readonly command: string })[] = [];
  /** Kinds of commands that get no answer. */
  mute: Pick<ReadonlySet<NodeCommand['kind']>, 'has'> = new Set<NodeCommand['kind']>();
  fault: 'storage-unavailable' | 'internal' | undefined;
  readonly system = new FakeSystem();
  auth: AuthBackends;
  readonly messages = new FakeMessages();
  readonly drains = new FakeDrains();
  readonly insight = new FakeInsight();
  settings: FakeSettings;
  listeners: FakeListeners;
  readonly streams = new FakeStreams();
  readonly backups = new FakeBackups();
  schedules = fakeSchedules();
  /** Those of a real node. */
  readonly tracing = new Tracing();
  traces: NodeTraces;
  readonly server: NodeCommandServer<NodeCommand, NodeReply>;

  constructor(
    readonly id: string,
    private readonly config: Config,
    /** The nodes that it knows of. */
    public members: readonly string[],
  ) {
    this.auth = fakeAuth(config, [], { listeners: ['tcp'] });
    this.settings = new FakeSettings(config);
    this.traces = this.newTraces();
    this.listeners = new FakeListeners(config, { live: this.settings.live, system: this.system });
    this.server = new NodeCommandServer<NodeCommand, NodeReply>({
      channel: commandChannel(config),
      nodeId: id,
      handle: (command) => this.handle(command),
      answersAny: ({ kind }) => kind === 'nodes',
      log: silentLog,
    });
  }

  /** As after a restart of the node. */
  restartTraces(): void {
    this.traces = this.newTraces();
  }

  private newTraces(): NodeTraces {
    const { tracing, id: nodeId } = this;
    return new NodeTraces({ tracing, nodeId, nowMs: Date.now, life: Date.now() });
  }

  private get policy(): RemotePolicy {
    return this.config.bridge;
  }

  async handle({ origin, ...command }: NodeCommand & WithOrigin): Promise<NodeReply> {
    this.origins.push({ command: command.kind, ...origin });
    if (this.frozen || this.mute.has(command.kind)) await new Promise(() => {});
    this.received.push(command);
    if (this.fault !== undefined && command.kind !== 'nodes') {
      return { kind: 'failed', code: this.fault };
    }
    if (this.settings.takes(command)) {
      return { kind: 'done', answer: await this.settings.answer(command) };
    }
    if (this.listeners.takes(command)) {
      return { kind: 'done', answer: await this.listeners.answer(command) };
    }
    if (command.kind === 'node-config') {
      return { kind: 'done', answer: { settings: this.settings.shown() } };
    }
    if (isOnStreams(command)) return { kind: 'done', answer: await this.streams.answer(command) };
    if (isBackupCommand(command))
      return { kind: 'done', answer: await this.backups.answer(command) };
    if (isScheduleCommand(command)) {
      return { kind: 'done', answer: await this.schedules.answer(command) };
    }
    if (isTraceCommand(command)) {
      return { kind: 'done', answer: await answerTrace(this.traces, command) };
    }
    if (command.kind === 'try-login') {
      const { backend, login, withinMs } = command;
      return { kind: 'done', answer: await this.auth.try(backend, login, withinMs) };
    }
    if (command.kind === 'auth') return { kind: 'done', answer: await this.auth.shown() };
    if (command.kind === 'put-auth') return { kind: 'done', answer: await this.auth.put(command) };
    const answer = BanCommands.takes(command)
      ? await this.bans.answer(command)
      : this.answer(command);
    return { kind: 'done', answer };
  }

  private answerOnAccess(command: AccessCommand): AccessAnswers[AccessCommand['kind']] {
    switch (command.kind) {
      case 'acl':
        return { ...this.acl, fallback: 'deny' };
      case 'put-acl':
        return this.putAcl(command);
      case 'simulate-access':
        return { verdicts: command.requests.map(() => ({ allowed: true })) };
    }
  }

  private answerOnUsers(command: UserCommand): UserAnswers[UserCommand['kind']] {
    switch (command.kind) {
      case 'users':
        return { items: [...this.users.values()] };
      case 'users-with-credentials': {
        const items = [...this.users.values()].map((user) => ({
          ...user,
          credentials: this.credentials.get(user.id) ?? [],
        }));
        return { items, hasMore: false };
      }
      case 'user':
        return { user: this.users.get(command.id) };
      case 'put-user':
        return this.putUser(command);
      case 'remove-user': {
        const present = this.users.get(command.id);
        if (present === undefined) return { kind: 'absent' };
        if (present.revision !== command.revision) return { kind: 'conflict' };
        this.users.delete(command.id);
        return { kind: 'stored' };
      }
    }
  }

  private answerOnBridges(command: BridgeCommand): BridgeAnswers[BridgeCommand['kind']] {
    switch (command.kind) {
      case 'restart-bridge':
        return { kind: 'restarting' };
      case 'order-rules':
        return this.orderRules(command);
      case 'bridge-metrics':
        return { rules: this.metrics };
      case 'reset-bridge-metrics':
        this.metrics = [];
        return {};
    }
  }

  private putAcl({ rules, revision }: CommandOf<'put-acl'>): WireAclChange {
    if (revision !== this.acl.revision) return { kind: 'conflict' };
    this.acl = { ...this.acl, stored: rules, revision: revision + 1 };
    return { kind: 'stored', revision: this.acl.revision };
  }

  private answerOnDeadLetters(
    command: DeadLetterCommand,
  ): DeadLetterAnswers[DeadLetterCommand['kind']] {
    switch (command.kind) {
      case 'dead-letters': {
        const { after = '', limit } = command;
        const rest = [...this.letters.values()]
          .filter(({ id }) => id > after)
          .toSorted((one, other) => (one.id < other.id ? -1 : 1));
        const items = rest.slice(0, limit);
        return { items, ...(rest.length > limit && { next: items.at(-1)?.id }) };
      }
      case 'remove-dead-letters': {
        const removed = this.letters.size;
        if (!command.dryRun) this.letters.clear();
        return { removed, hasMore: false };
      }
      case 'replay-dead-letters':
        return {
          results: command.ids.map((id) => {
            if (this.unreplayable.has(id)) return { id, outcome: 'failed', detail: 'refused' };
            return { id, outcome: this.letters.delete(id) ? 'replayed' : 'absent' };
          }),
        };
    }
  }

  private putUser({
    id,
    groups,
    rules,
    credentials,
    revision,
  }: CommandOf<'put-user'>): WireUserChange {
    const present = this.users.get(id);
    if (present?.revision !== revision) return { kind: 'conflict' };
    if (groups.includes('nobody')) return { kind: 'invalid', detail: 'not that' };
    const hasScram = credentials ? credentials.length > 1 : present?.hasScram === true;
    const user = { id, groups, rules, hasScram, passwordSetAtMs: 0, revision: (revision ?? 0) + 1 };
    this.users.set(id, user);
    if (credentials !== undefined) this.credentials.set(id, credentials);
    return { kind: 'stored', user };
  }

  private info(nodeId: string) {
    return { nodeId, incarnation: 1, version: '1', startedAtMs: 0, state: 'alive' as const };
  }

  private answer(
    command: Exclude<
      NodeCommand,
      | AuthCommand
      | BackupCommand
      | BanCommand
      | StreamCommand
      | TraceCommand
      | ScheduleCommand
      | ConfigCommand
      | ListenerCommand
      | CommandOf<'node-config'>
    >,
  ): NodeAnswers[NodeCommand['kind']] {
    if (isSessionCommand(command)) return this.sessions.answer(command);
    if (isOnUsers(command)) return this.answerOnUsers(command);
    if (isOnBridges(command)) return this.answerOnBridges(command);
    if (this.system.takes(command)) return this.system.answer(command);
    if (isOnMessages(command)) return this.messages.answer(command);
    if (isOnDeadLetters(command)) return this.answerOnDeadLetters(command);
    if (this.insight.takes(command)) return this.insight.answer(command);
    if (this.drains.takes(command)) return this.drains.answer(command);
    switch (command.kind) {
      case 'nodes':
        return { nodes: this.members.map((id) => this.info(id)) };
      case 'status':
        return {
          node: this.info(this.id),
          mode: 'cluster',
          connections: this.clients.size,
          sessions: this.clients.size,
          subscriptions: this.clients.size,
          retainedMessages: this.messages.retained.size,
          messagesReceived: 1,
          messagesSent: 2,
        };
      case 'bridges':
        return { bridges: this.bridges };
      case 'test-bridge':
        return this.testBridge(command);
      case 'put-bridge':
        return this.putBridge(command);
      case 'remove-bridge':
        return this.removeBridge(command.id);
      case 'rules':
        return { rules: this.orderedRules(), orderRevision: this.ruleOrder.revision };
      case 'rule-states':
        return { states: this.states };
      case 'put-rule':
        return this.putRule(command);
      case 'try-rule':
        return this.tryRule(command);
      case 'remove-rule': {
        const stored = this.rules.get(command.id);
        if (stored === undefined) return { kind: 'absent' };
        this.rules.delete(command.id);
        return { kind: 'stored', stored };
      }
      case 'acl':
      case 'put-acl':
      case 'simulate-access':
        return this.answerOnAccess(command);
    }
  }

  private tryRule({ rule, sample }: CommandOf<'try-rule'>): WireRuleTrial {
    const id = typeof rule === 'string' ? rule : rule.id;
    const known = typeof rule !== 'string' || this.rules.has(id);
    if (!known) return { kind: 'absent' };
    return this.trials.get(id) ?? { kind: 'invalid', detail: `takes no ${sample.kind}` };
  }

  private testBridge(command: CommandOf<'test-bridge'>): NodeAnswers['test-bridge'] {
    if ('id' in command) return { steps: this.steps.get(command.id) };
    const checked = checkRemoteConnector(command.connector, this.policy);
    if (checked.kind === 'faulty') return { faults: checked.faults };
    return { steps: this.steps.get(checked.connector.id) };
  }

  private putBridge({ connector, revision }: CommandOf<'put-bridge'>): WireBridgeChange {
    const checked = checkRemoteConnector(connector, this.policy);
    if (checked.kind === 'faulty') return { kind: 'invalid', faults: checked.faults };
    const { id } = checked.connector;
    const stored = this.bridges.find((each) => each.connector.id === id);
    if (stored?.source === 'config') return { kind: 'read-only' };
    if (stored?.revision !== revision) return { kind: 'conflict' };
    const next = {
      ...{ connector: checked.connector, source: 'api' as const, state: 'unused' as const },
      revision: (stored?.revision ?? 0) + 1,
    };
    this.bridges = [...this.bridges.filter((each) => each !== stored), next];
    return { kind: 'stored', stored: next };
  }

  private removeBridge(id: string): WireBridgeChange {
    const stored = this.bridges.find(({ connector }) => connector.id === id);
    const rules = [...this.rules.values()].filter(({ rule }) => rule.bridge === id);
    if (rules.length > 0) return { kind: 'in-use', rules: rules.map(({ rule }) => rule.id) };
    if (stored === undefined) return { kind: 'absent' };
    this.bridges = this.bridges.filter((each) => each !== stored);
    return { kind: 'stored', stored };
  }

  private orderedRules(): readonly WireStoredRule[] {
    const { ids } = this.ruleOrder;
    const placeOf = ({ rule }: WireStoredRule) => ids.indexOf(rule.id) + 1 || Infinity;
    return [...this.rules.values()].toSorted((one, other) =>
      placeOf(one) < placeOf(other) ? -1 : 1,
    );
  }

  private orderRules({ ids, revision }: CommandOf<'order-rules'>): BridgeAnswers['order-rules'] {
    const missing = [...this.rules.keys()].find((id) => !ids.includes(id));
    if (missing !== undefined) return { kind: 'invalid', detail: `${missing} is missing` };
    if (revision !== this.ruleOrder.revision) return { kind: 'conflict' };
    this.ruleOrder = { ids, revision: revision + 1 };
    return { kind: 'stored', revision: revision + 1 };
  }

  private putRule({ rule, revision }: CommandOf<'put-rule'>): WireRuleChange {
    const stored = this.rules.get(rule.id);
    if (stored?.source === 'config') return { kind: 'read-only' };
    if ('topic' in rule && rule.topic === 'bad')
      return { kind: 'invalid', detail: 'topic: is bad' };
    if (revision !== stored?.revision) return { kind: 'conflict' };
    const next = { rule, source: 'api' as const, revision: (stored?.revision ?? 0) + 1 };
    this.rules.set(rule.id, next);
    return { kind: 'stored', stored: next };
  }
}
function isOnUsers(command: NodeCommand): command is UserCommand {
  return ['users', 'users-with-credentials', 'user', 'put-user', 'remove-user'].includes(
    command.kind,
  );
}

function isOnBridges(command: NodeCommand): command is BridgeCommand {
  return ['restart-bridge', 'bridge-metrics', 'reset-bridge-metrics', 'order-rules'].includes(
    command.kind,
  );
}

function isOnDeadLetters(command: NodeCommand): command is DeadLetterCommand {
  return ['dead-letters', 'remove-dead-letters', 'replay-dead-letters'].includes(command.kind);
}
