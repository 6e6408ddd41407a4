import {
  STATS_FIGURES,
  isAlarmCommand,
  isDiagnosticsCommand,
  type DiagnosticsAnswers,
  type DiagnosticsCommand,
  isStatsCommand,
  isTopicCommand,
  type AlarmAnswers,
  type AlarmCommand,
  type StatsAnswers,
  type StatsCommand,
  type WireAlarm,
  type WireFigures,
  type WireSample,
  type NodeCommand,
  type TopicAnswers,
  type TopicCommand,
  type WireSharedGroup,
  type WireSharedMember,
  type WireTopicLevel,
  type WireTopicMetric,
} from '#libs/api-contracts';

/** What a command on what a node notes about itself is. */
export type InsightCommand = TopicCommand | StatsCommand | AlarmCommand | DiagnosticsCommand;

type InsightAnswer =
  | TopicAnswers[TopicCommand['kind']]
  | StatsAnswers[StatsCommand['kind']]
  | AlarmAnswers[AlarmCommand['kind']]
  | DiagnosticsAnswers[DiagnosticsCommand['kind']];

const GROUPS = [isTopicCommand, isStatsCommand, isAlarmCommand, isDiagnosticsCommand];

/** Figures that are all the same. */
export function figuresOf(value: number): WireFigures {
  const entries = Object.keys(STATS_FIGURES).map((name) => [name, value]);
  return Object.fromEntries(entries) as WireFigures;
}

/** What a node notes about itself, as a test says. */
export class FakeInsight {
  levels: readonly WireTopicLevel[] = [];
  isWhole = true;
  groups: readonly WireSharedGroup[] = [];
  members: readonly WireSharedMember[] = [];
  readonly metrics = new Map<string, WireTopicMetric>();
  isFull = false;
  figures = 1;
  alarms: WireAlarm[] = [];
  logLines: readonly string[] = ['a line'];
  samples: readonly WireSample[] = [];

  takes(command: NodeCommand): command is InsightCommand {
    return GROUPS.some((isOfGroup) => isOfGroup(command));
  }

  answer(command: InsightCommand): InsightAnswer {
    if (isAlarmCommand(command)) return this.answerOnAlarms(command);
    if (isDiagnosticsCommand(command)) return this.answerOnDiagnostics(command);
    if (isStatsCommand(command)) return this.answerOnStats(command);
    switch (command.kind) {
      case 'topics': {
        const { after = '', limit } = command.query;
        const rest = this.levels.filter(({ topic }) => topic > after);
        return { ...pageOf(rest, limit), isWhole: this.isWhole };
      }
      case 'shared-groups': {
        const { after = '', limit, group } = command.query;
        const rest = this.groups.filter(
          (each) => each.group > after && (group ?? each.group) === each.group,
        );
        return { ...pageOf(rest, limit), strategy: 'local' };
      }
      case 'shared-members':
        return { members: this.members };
      case 'topic-metrics':
        return { metrics: [...this.metrics.values()] };
      case 'add-topic-metric':
        return this.add(command.filter);
      case 'remove-topic-metric':
        return { found: this.metrics.delete(command.id) };
    }
  }

  private answerOnDiagnostics(
    command: DiagnosticsCommand,
  ): DiagnosticsAnswers[DiagnosticsCommand['kind']] {
    if (command.kind === 'write-heap-snapshot') return { kind: 'refused', reason: 'too large' };
    return {
      process: {
        ...{ pid: 1, nodeVersion: 'v24', platform: 'linux', arch: 'x64', cpus: 2 },
        ...{ memory: {}, resources: {}, heapSpaces: [{ name: 'old_space', usedBytes: 5 }] },
        active: { TCPSocketWrap: 2 },
      },
      log: { lines: this.logLines, gone: 0 },
    };
  }

  private answerOnAlarms(command: AlarmCommand): AlarmAnswers[AlarmCommand['kind']] {
    if (command.kind === 'alarms') return { alarms: this.alarms };
    const found = this.alarms.find(({ id }) => id === command.id);
    if (command.kind === 'acknowledge-alarm') {
      const { by, comment } = command;
      const acknowledgement = { by, comment, atMs: 5_000 };
      const acknowledged = { acknowledgements: [acknowledgement] };
      this.alarms = this.alarms.map((each) =>
        each === found ? { ...each, ...acknowledged } : each,
      );
      return found === undefined ? {} : { acknowledgement };
    }
    if (found === undefined) return { kind: 'absent' };
    if (found.clearedAtMs === undefined) return { kind: 'active' };
    this.alarms = this.alarms.filter((each) => each !== found);
    return { kind: 'removed' };
  }

  private answerOnStats(command: StatsCommand): StatsAnswers[StatsCommand['kind']] {
    if (command.kind === 'stats-history') return { resolutionMs: 10_000, samples: this.samples };
    const totals = {
      ...{ connects: 1, messages_received: 2, messages_sent: 3, messages_dropped: 4 },
      ...{ bytes_received: 5, bytes_sent: 6 },
    };
    return { startedAtMs: 1_000, figures: figuresOf(this.figures), totals };
  }

  private add(filter: string): TopicAnswers['add-topic-metric'] {
    const id = `id-${String(this.metrics.size)}`;
    const known = [...this.metrics.values()].find((each) => each.filter === filter);
    if (known !== undefined) return { kind: 'exists', id: known.id };
    if (this.isFull) return { kind: 'full' };
    const metric = {
      ...{ id, filter, createdAtMs: 1_000, sinceMs: 2_000 },
      ...{ messagesIn: [1, 2, 3], messagesOut: [4, 5, 6], bytesIn: 10, bytesOut: 20, dropped: 7 },
      ...{ inPerSecond: 0.5, outPerSecond: 1.5, droppedPerSecond: 0 },
    };
    this.metrics.set(id, metric);
    return { kind: 'stored', metric };
  }
}

function pageOf<Item>(rest: readonly Item[], limit: number) {
  return { items: rest.slice(0, limit), hasMore: rest.length > limit };
}
