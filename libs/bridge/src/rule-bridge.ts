import {
  type Bridge,
  type BridgeGround,
  type BridgeRule,
  type BridgeTest,
  type BridgeTestStep,
  type Connector,
  type ConnectorStatus,
  type DeadLetter,
  type Message,
  type PublishDone,
  type ReplayStart,
  type RuleMetrics,
  type RuleSample,
  type RuleStatus,
  type RuleTrial,
  type SpoolEntry,
} from '#libs/broker-ports';
import { MessageDocument, type TransformFault } from '#libs/bridge-transform';
import { MatchCache, TopicTrie } from '#libs/topic-index';
import { AckGate } from './ack-gate.ts';
import type { RuleBridgeOptions } from './bridge-options.ts';
import { Connection, type RunningRule } from './connection.ts';
import { messageOfLetter } from './letter-message.ts';
import { OutboundRule, type RuleEnd } from './outbound-rule.ts';
import { RuleCounts } from './rule-counts.ts';
import { bridgeFault } from './rule-fault.ts';
import { SpoolLeftovers } from './spool-leftovers.ts';

const SWEEP_MS = 100;
/** How long a rule that ends may go on sending what it holds. */
const CLOSE_DEADLINE_MS = 5_000;
/** The same when the bridge ends while the other side is away: it is not likely to come back just then. */
const AWAY_DEADLINE_MS = 500;
const MATCH_CACHE_ENTRIES = 8_192;

/**
 * The bridge of a node, both directions: rules at work between MQTT and what their connectors lead to.
 *
 * @remarks A record is ordered in offer(), per key and for good: it goes to a lane with one request under way at a time. With
 * an `ack` of the sink's name the publisher's QoS 1 or 2 message is acknowledged when the sink has stored it for good. When
 * that takes longer than `ackTimeoutMs` the publisher is told so and will send again: a record that no attempt was begun with
 * is dropped, and so is what came after it from its client, which would overtake it. One that is under way may be stored
 * late: delivery is at least once. QoS 0, and rules of `ack: none`, never wait; when the buffer is full their
 * records are dropped and counted. The sink's absence costs MQTT nothing but these answers.
 *
 * A consumer group that has no committed offset, as of a new rule, begins at the end of its topic: commands of the past are
 * not sent to devices. From then on nothing is skipped, also not records that came while no node was there.
 */
export class RuleBridge implements Bridge {
  readonly #options: RuleBridgeOptions;
  readonly #connections = new Map<string, Connection>();
  #ground: BridgeGround;
  /** What was last said of rules that cannot run. */
  readonly #faults = new Map<string, string>();
  readonly #rules = new Map<string, RunningRule>();
  /** The places of all rules in their order. */
  #places = new Map<string, number>();
  /** Rules that were taken out and still send what they hold. */
  readonly #leaving = new Map<RunningRule, Promise<void>>();
  #stopped: RuleStatus[] = [];
  readonly #counts = new Map<string, RuleCounts>();
  readonly #leftovers: SpoolLeftovers;
  readonly #trie = new TopicTrie<OutboundRule>();
  readonly #matches = new MatchCache<readonly OutboundRule[]>(MATCH_CACHE_ENTRIES);
  #version = 0;
  #outboundCount = 0;
  /** Open gates in the order of their deadlines: all wait equally long. */
  #gates: AckGate[] = [];
  #sweeper: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: RuleBridgeOptions) {
    this.#options = options;
    this.#leftovers = new SpoolLeftovers(options, (rule) => this.#departed(rule));
    this.#ground = { connectors: options.connectors, refused: new Map() };
    this.#connect(this.#ground);
  }

  get idle(): boolean {
    return this.#outboundCount === 0;
  }

  offer(message: Message, done: PublishDone): void {
    if (this.#outboundCount === 0) return done();
    const rules = this.#match(message.topic);
    let gate: AckGate | undefined;
    let document: MessageDocument | undefined;
    for (const rule of rules) {
      // What a rule brought in must not go round in circles.
      if (message.origin === 'bridge' && rule.rule.allowLoop !== true) continue;
      let value: Buffer | TransformFault | undefined;
      if (rule.hasExpressions) {
        document ??= new MessageDocument(message, this.#options.usernameOf);
        const transformed = rule.transform(document);
        if (transformed === 'filtered') continue;
        value = transformed;
      }
      const gated = message.qos > 0 && rule.rule.ack !== 'none';
      if (gated) gate ??= this.#gate(done, message.publisher);
      rule.offer(message, gated ? gate : undefined, value);
    }
    if (gate === undefined) done();
    else gate.release();
  }

  apply(
    rules: readonly BridgeRule[],
    ground: BridgeGround = this.#ground,
    removed?: ReadonlyMap<string, number>,
  ): void {
    if (this.#closing !== undefined) return;
    const moved = this.#connect(ground);
    this.#leftovers.know({ known: new Set(rules.map(({ id }) => id)), removed });
    this.#forgetCounts(rules);
    this.#places = new Map(rules.map(({ id }, place) => [id, place]));
    this.#version += 1;
    const isAtWork = ({ enabled, bridge }: BridgeRule): boolean =>
      enabled && this.#connections.get(bridge)?.connector.enabled !== false;
    const wanted = new Map(rules.filter(isAtWork).map((rule) => [rule.id, rule]));
    this.#stopped = rules
      .filter((rule) => !isAtWork(rule))
      .map(({ id }) => ({ id, state: 'stopped', lastError: undefined }));
    for (const running of this.#rules.values()) {
      const { rule } = running;
      const isSame = isEqual(rule, wanted.get(rule.id)) && !moved.has(rule.bridge);
      if (isSame) wanted.delete(rule.id);
      else this.#stop(running);
    }
    for (const rule of wanted.values()) this.#start(rule);
    for (const id of this.#faults.keys()) if (!wanted.has(id)) this.#faults.delete(id);
    this.#leftovers.look();
  }

  /** Takes in what rules may name; the ids of connectors that are gone or have other settings. */
  #connect(ground: BridgeGround): ReadonlySet<string> {
    const wanted = new Map(ground.connectors.map((connector) => [connector.id, connector]));
    const moved = new Set<string>();
    for (const [id, connection] of this.#connections) {
      const next = wanted.get(id);
      if (isEqual(connection.connector, next)) wanted.delete(id);
      else {
        moved.add(id);
        this.#connections.delete(id);
        if (next === undefined) connection.retire();
      }
    }
    for (const [id, connector] of wanted) {
      this.#connections.set(id, new Connection(connector, this.#options));
    }
    this.#ground = ground;
    return moved;
  }

  /**
   * Takes records that another node had in its spool for a rule.
   *
   * @returns how many of them, from the first on, need not be kept there any more.
   */
  async inherit(id: string, entries: readonly SpoolEntry[]): Promise<number> {
    const running = this.#rules.get(id);
    if (running instanceof OutboundRule) return running.inherit(entries);
    return this.#leftovers.forgettable(id, entries);
  }

  /** Whether a rule is at work here that can take such records. */
  inherits(id: string): boolean {
    return this.#rules.get(id) instanceof OutboundRule;
  }

  status(): readonly RuleStatus[] {
    return [...[...this.#rules.values()].map((rule) => rule.status()), ...this.#stopped];
  }

  connectors(): readonly ConnectorStatus[] {
    const refused = [...this.#ground.refused].map(([id, lastError]): ConnectorStatus => ({
      id,
      state: 'disconnected',
      lastError,
    }));
    const connections = [...this.#connections];
    return [...connections.map(([id, each]) => each.status(this.#rulesOf(id))), ...refused];
  }

  replay(letter: DeadLetter, done: PublishDone): ReplayStart {
    const running = this.#rules.get(letter.rule);
    if (!(running instanceof OutboundRule) || this.#closing !== undefined) return 'idle';
    if (letter.valueBytes !== undefined) return 'cut';
    const message = messageOfLetter(letter);
    if (message === undefined) return 'unreadable';
    let value: Buffer | TransformFault | undefined;
    if (letter.stage !== 'where' && letter.stage !== 'value') value = Buffer.from(message.payload);
    else if (running.hasExpressions) {
      const document = new MessageDocument(message, this.#options.usernameOf);
      const transformed = running.transform(document);
      if (transformed === 'filtered') return 'filtered';
      value = transformed;
    }
    // Its publisher is nobody who waits: what it sends meanwhile is not refused with it.
    const gate = this.#gate(done, '');
    running.offer(message, gate, value);
    gate.release();
    return 'begun';
  }

  metrics(): readonly RuleMetrics[] {
    return [...this.#counts].map(([id, counts]) => {
      const running = this.#rules.get(id);
      const waiting = running && this.#connections.get(running.rule.bridge)?.waiting(running);
      return counts.metrics(waiting ?? { lagRecords: 0, heldRecords: 0 });
    });
  }

  resetMetrics(connector: string): void {
    const nowMs = this.#options.clock.nowMs();
    for (const counts of this.#counts.values()) {
      if (counts.bridge === connector) counts.reset(nowMs);
    }
  }

  restart(id: string): 'restarting' | 'stopped' | 'absent' {
    const connection = this.#connections.get(id);
    if (connection === undefined || this.#closing !== undefined) return 'absent';
    if (connection.connector.enabled === false) return 'stopped';
    this.#connections.set(id, new Connection(connection.connector, this.#options));
    for (const running of this.#rulesOf(id)) {
      this.#stop(running);
      this.#start(running.rule);
    }
    return 'restarting';
  }

  test(connector: Connector, request: BridgeTest): Promise<readonly BridgeTestStep[]> {
    return new Connection(connector, this.#options).test(request);
  }

  ruleFault(rule: BridgeRule, ground: BridgeGround = this.#ground): string | undefined {
    const fault = bridgeFault(rule, ground);
    return fault ?? this.#connectionOf(rule, ground)?.ruleFault(rule);
  }

  tryRule(rule: BridgeRule, sample: RuleSample, ground: BridgeGround = this.#ground): RuleTrial {
    const fault = this.ruleFault(rule, ground);
    const connection = this.#connectionOf(rule, ground);
    if (fault === undefined && connection !== undefined) return connection.tryRule(rule, sample);
    return { kind: 'invalid', detail: fault ?? `bridge: there is no ${rule.bridge}` };
  }

  /** A connection for questions: it does nothing by itself. */
  #connectionOf({ bridge }: BridgeRule, { connectors }: BridgeGround): Connection | undefined {
    const connector = connectors.find(({ id }) => id === bridge);
    return connector && new Connection(connector, this.#options);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#leftovers.close();
    for (const rule of this.#rules.values()) {
      this.#leave(rule, rule.connected ? CLOSE_DEADLINE_MS : AWAY_DEADLINE_MS, 'replaced');
    }
    await Promise.all(this.#leaving.values());
    clearInterval(this.#sweeper);
    this.#expireGates(Infinity);
  }

  #match(topic: string): readonly OutboundRule[] {
    const cached = this.#matches.get(topic, this.#version);
    if (cached !== undefined) return cached;
    const rules: OutboundRule[] = [];
    this.#trie.match(topic, rules);
    // Whoever comes first has what room there is.
    rules.sort((one, other) => this.#placeOf(one) - this.#placeOf(other));
    this.#matches.set(topic, this.#version, rules);
    return rules;
  }

  #placeOf({ rule }: OutboundRule): number {
    return this.#places.get(rule.id) ?? 0;
  }

  #gate(done: PublishDone, publisher: string): AckGate {
    const { limits, clock } = this.#options;
    const gate = new AckGate(done, clock.monotonicMs() + limits.ackTimeoutMs, publisher);
    this.#gates.push(gate);
    return gate;
  }

  #start(rule: BridgeRule): void {
    const fault = this.ruleFault(rule);
    const connection = this.#connections.get(rule.bridge);
    if (fault !== undefined || connection === undefined) {
      // Configuration and API refuse such a rule; its bridge may have gone, or another node have taken it.
      if (fault !== undefined && this.#faults.get(rule.id) !== fault) {
        this.#options.log.error('bridge-rule-invalid', { rule: rule.id, error: fault });
        this.#faults.set(rule.id, fault);
      }
      this.#stopped.push({ id: rule.id, state: 'stopped', lastError: fault });
      return;
    }
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    const after = this.#departed(rule.id);
    const running = connection.open(rule, { after, counts: this.#countsOf(rule) });
    this.#rules.set(rule.id, running);
    // Gauges that stood at 0 until the first sweep would say that nothing waits in a spool of before.
    connection.tell(this.#rulesOf(rule.bridge));
    if (!(running instanceof OutboundRule)) return;
    this.#trie.add(running.rule.filter, running);
    this.#outboundCount += 1;
    this.#version += 1;
  }

  #countsOf({ id, bridge }: BridgeRule): RuleCounts {
    const counts = this.#counts.get(id) ?? new RuleCounts(id, bridge, this.#options.clock.nowMs());
    counts.moveTo(bridge);
    this.#counts.set(id, counts);
    return counts;
  }

  /** Counts of a rule that is not there any more are of no use to anybody. */
  #forgetCounts(rules: readonly BridgeRule[]): void {
    const ids = new Set(rules.map(({ id }) => id));
    for (const id of this.#counts.keys()) if (!ids.has(id)) this.#counts.delete(id);
  }

  #stop(running: RunningRule): void {
    this.#rules.delete(running.rule.id);
    if (running instanceof OutboundRule) {
      this.#trie.remove(running.rule.filter, running);
      this.#outboundCount -= 1;
      this.#version += 1;
    }
    const isRemoved = running instanceof OutboundRule && this.#leftovers.ends(running);
    this.#leave(running, CLOSE_DEADLINE_MS, isRemoved ? 'removed' : 'replaced');
  }

  #leave(running: RunningRule, deadlineMs: number, end: RuleEnd): void {
    const left = running
      .close(this.#options.clock.monotonicMs() + deadlineMs, end)
      .finally(() => this.#leaving.delete(running));
    this.#leaving.set(running, left);
  }

  /** Resolves when the earlier versions of a rule are gone: the next one must not overtake their records. */
  async #departed(id: string): Promise<void> {
    const earlier = [...this.#leaving].filter(([running]) => running.rule.id === id);
    await Promise.all(earlier.map(([, left]) => left));
  }

  /** One timer for everything that waits: acknowledgements, metadata and gauges. */
  #sweep(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#options.moves?.sweep(nowMs);
    // Rules first: they know better why a message was not taken in time.
    for (const rule of this.#outboundRules()) rule.sweep(nowMs);
    this.#expireGates(nowMs);
    for (const [id, connection] of this.#connections) connection.tell(this.#rulesOf(id));
  }

  #rulesOf(connector: string): readonly RunningRule[] {
    return [...this.#rules.values()].filter(({ rule }) => rule.bridge === connector);
  }

  #outboundRules(): readonly OutboundRule[] {
    const running = [...this.#rules.values(), ...this.#leaving.keys()];
    return running.filter((rule) => rule instanceof OutboundRule);
  }

  /** Refuses what was not settled in time, and what came after it from its client: that must not be stored before what is sent again. */
  #expireGates(nowMs: number): void {
    const late = new Set<string>();
    let passed = 0;
    for (const gate of this.#gates) {
      if (gate.open && gate.deadlineMs > nowMs) break;
      passed += 1;
      if (!gate.open) continue;
      gate.expire();
      late.add(gate.publisher);
    }
    if (passed > 0) this.#gates = this.#gates.slice(passed);
    if (late.size === 0) return;
    late.delete('');
    for (const gate of this.#gates) if (gate.open && late.has(gate.publisher)) gate.expire();
    for (const rule of this.#outboundRules()) rule.dropLate();
  }
}

function isEqual(left: object, right: object | undefined): boolean {
  return (
    right !== undefined && JSON.stringify(canonical(left)) === JSON.stringify(canonical(right))
  );
}

/** Rules and connectors come from stores that keep no order of fields. */
function canonical(value: object): unknown {
  return Object.entries(value)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, field]) => [
      name,
      typeof field === 'object' && field !== null ? canonical(field) : field,
    ]);
}
