import type {
  BridgeRule,
  BridgeTest,
  BridgeTestStep,
  Connector,
  ConnectorStatus,
  KafkaToMqttRule,
  OutboundBridgeRule,
  RuleMetrics,
  RuleSample,
  RuleTrial,
} from '#libs/broker-ports';
import type { BridgeContext } from './bridge-context.ts';
import type { RuleBridgeOptions } from './bridge-options.ts';
import { BufferBudget } from './buffer-budget.ts';
import { DeadLetters } from './dead-letters.ts';
import { InboundRule, type InboundLink } from './inbound-rule.ts';
import { KEPT_TARGET, KeptLetters } from './kept-letters.ts';
import { OutboundRule } from './outbound-rule.ts';
import type { RuleCounts, RuleMeter } from './rule-counts.ts';
import { ruleFault } from './rule-fault.ts';
import { tryRule } from './rule-trial.ts';
import type { Sink, SinkFactory } from './sink.ts';
import type { SourceFactory } from './source.ts';

/** What a test is called where a rule has its id. */
const TEST_RULE = { id: 'connectivity-test' };

/** What a rule begins with besides itself. */
export interface RuleStart {
  /** Resolves when its earlier versions are gone. */
  readonly after: Promise<void>;
  readonly counts: RuleCounts;
}

/** A rule at work. */
export type RunningRule = OutboundRule | InboundRule;

/** A connector at work: its rules share a buffer and the `bridge` label of metrics. */
export class Connection {
  readonly connector: Connector;
  readonly #options: RuleBridgeOptions;
  readonly #budget: BufferBudget;
  readonly #sinks: SinkFactory;
  readonly #sources: SourceFactory | undefined;

  /** @throws Error when no factory is of the connector's kind. */
  constructor(connector: Connector, options: RuleBridgeOptions) {
    this.connector = connector;
    this.#options = options;
    this.#budget = new BufferBudget(options.limits.bufferBytesMax);
    const sinks = options.sinks.find(({ kind }) => kind === connector.kind);
    if (sinks === undefined) throw new Error(`nothing makes sinks of kind ${connector.kind}`);
    this.#sinks = sinks;
    this.#sources = options.sources.find(({ kind }) => kind === connector.kind);
  }

  /** What is wrong with a rule of this connector, naming the field; undefined when it can run. */
  ruleFault(rule: BridgeRule): string | undefined {
    return ruleFault(rule, {
      target: (name) => this.#sinks.targetFault(name),
      topic: (name) => this.#sources?.topicFault(name),
      hasSpool: this.#options.spool !== undefined,
      keepsLetters: this.#options.letters !== undefined,
    });
  }

  /** What a rule of this connector, one without fault, would make of a sample. */
  tryRule(rule: BridgeRule, sample: RuleSample): RuleTrial {
    return tryRule(rule, sample, {
      targetFault: (target) => this.#sinks.targetFault(target),
      messageLimits: this.#options.messageLimits,
    });
  }

  /**
   * Sets a rule to work, as soon as its earlier versions are gone.
   *
   * @throws TemplateError when a template of the rule cannot be compiled.
   */
  open(rule: BridgeRule, { after, counts }: RuleStart): RunningRule {
    const meter = counts.over(this.#options.meter);
    const context = this.#contextOf(meter);
    if (rule.direction === 'kafka-to-mqtt') {
      return new InboundRule(rule, context, this.#inboundLink(rule, after));
    }
    return new OutboundRule(rule, context, {
      sink: this.#openSink(rule),
      targetFault: (target) =>
        target === KEPT_TARGET ? undefined : this.#sinks.targetFault(target),
      after,
    });
  }

  /** What metrics() of a rule shows besides its counts. */
  waiting(rule: RunningRule): Pick<RuleMetrics, 'lagRecords' | 'heldRecords' | 'spool'> {
    if (rule instanceof InboundRule) return { lagRecords: rule.lag, heldRecords: 0 };
    const heldRecords = this.#options.moves?.heldOf(rule.rule.id) ?? 0;
    return { lagRecords: 0, heldRecords, spool: rule.spool };
  }

  #openSink(rule: OutboundBridgeRule): Sink {
    const { letters, log } = this.#options;
    const sink = this.#sinks.open(this.connector, rule, log);
    return letters === undefined ? sink : new KeptLetters(sink, this.connector.id, letters);
  }

  #contextOf(meter: RuleMeter): BridgeContext {
    const { limits, moves, tracer, clock, log } = this.#options;
    const options = this.#options;
    return {
      ...{ bridge: this.connector.id, limits, budget: this.#budget, moves, tracer },
      ...{ clock, log, meter },
      get spool() {
        return options.spool;
      },
    };
  }

  #inboundLink(rule: KafkaToMqttRule, after: Promise<void>): InboundLink {
    const { messageLimits: limits, inject, log } = this.#options;
    const sources = this.#sources;
    if (sources === undefined) throw new Error(`nothing consumes from ${this.connector.kind}`);
    const { onError, deadLetterTopic } = rule;
    const deadLetters =
      onError === 'dlq' && deadLetterTopic !== undefined
        ? new DeadLetters(this.#sinks.open(this.connector, { id: rule.id }, log), deadLetterTopic)
        : undefined;
    return {
      open: (handler) => sources.open(this.connector, rule, { handler, log }),
      reader: sources.reader?.(this.connector, rule),
      after,
      limits,
      inject,
      mayWant: this.#options.mayWant,
      isBehind: this.#options.isBehind,
      deadLetters,
    };
  }

  /** How this connector fares, by the rules that work on it now. */
  status(rules: readonly RunningRule[]): ConnectorStatus {
    const { id } = this.connector;
    if (this.connector.enabled === false) return { id, state: 'stopped', lastError: undefined };
    const troubled = rules.find((rule) => !rule.connected);
    if (troubled !== undefined) {
      return { id, state: 'disconnected', lastError: troubled.status().lastError };
    }
    return { id, state: rules.length === 0 ? 'unused' : 'connected', lastError: undefined };
  }

  /** Tests from here whether the other side can be worked with, by a sink of its own. */
  async test(request: BridgeTest): Promise<readonly BridgeTestStep[]> {
    const sink = this.#sinks.open(this.connector, TEST_RULE, this.#options.log);
    const steps: BridgeTestStep[] = [];
    try {
      for await (const step of sink.test(request)) steps.push(step);
    } finally {
      void sink.close();
    }
    return steps;
  }

  /** Tells the meter that there is no such connector any more: nothing waits, and nobody misses the other side. */
  retire(): void {
    const { meter } = this.#options;
    const { id: bridge } = this.connector;
    meter.bridgeBuffer(bridge, 0, 0);
    meter.bridgeSpool(bridge, 0, 0);
    meter.bridgeConsumerLag(bridge, 0);
    meter.bridgeConnected(bridge, true);
  }

  /** Tells the meter how this connector fares, from the rules that work on it now. */
  tell(rules: readonly RunningRule[]): void {
    const { meter } = this.#options;
    const { id: bridge } = this.connector;
    meter.bridgeBuffer(bridge, this.#budget.records, this.#budget.bytes);
    let [records, bytes, held, lag] = [0, 0, 0, 0];
    for (const rule of rules) {
      const { spool, heldRecords, lagRecords } = this.waiting(rule);
      records += spool?.records ?? 0;
      bytes += spool?.bytes ?? 0;
      held += heldRecords;
      lag = Math.max(lag, lagRecords);
    }
    meter.bridgeSpool(bridge, records, bytes);
    meter.bridgeHeld(bridge, held);
    meter.bridgeConsumerLag(bridge, lag);
    meter.bridgeConnected(bridge, this.status(rules).state !== 'disconnected');
  }
}
