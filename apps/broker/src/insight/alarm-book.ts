import type {
  AlarmAnswers,
  AlarmCommand,
  AlarmName,
  AlarmSeverity,
  WireAcknowledgement,
  WireAlarm,
} from '#libs/api-contracts';
import type { NodeEvents } from '#libs/broker-ports';

/** How often it is looked, and how long a condition holds before it is an alarm, and is gone before it is none. */
const LOOK_MS = 2_000;
const RAISE_AFTER_MS = 5_000;
const CLEAR_AFTER_MS = 10_000;

/** Bounds: of those that hold, of those that have held, and of what is said to each. */
const ACTIVE_MAX = 200;
const HISTORY_MAX = 500;
const ACKNOWLEDGEMENTS_MAX = 20;

/** Something that is wrong at this moment. */
export interface AlarmCondition {
  readonly name: AlarmName;
  /** What it is about at the node; empty for the node itself. */
  readonly subject: string;
  readonly severity: AlarmSeverity;
  readonly summary: string;
}

/** What the alarms of a node are made with. */
export interface AlarmBookOptions {
  /** What is wrong now. */
  readonly conditions: () => readonly AlarmCondition[];
  readonly events: NodeEvents;
  readonly newId: () => string;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

interface Active {
  alarm: WireAlarm;
  seenAtMs: number;
}

/** What a node finds wrong with itself: in memory, so that it works when the store is what is wrong, and bounded. */
export class AlarmBook {
  readonly #options: AlarmBookOptions;
  /** Since when a condition holds that is no alarm yet. */
  readonly #pending = new Map<string, number>();
  readonly #active = new Map<string, Active>();
  /** The oldest first. */
  #history: WireAlarm[] = [];
  #lookedAtMs = -Infinity;

  constructor(options: AlarmBookOptions) {
    this.#options = options;
  }

  /** Looks what is wrong; to be called about once a second. */
  sweep(): void {
    const nowMs = this.#options.nowMs();
    // A clock that was set back must not stop it.
    if (Math.abs(nowMs - this.#lookedAtMs) < LOOK_MS) return;
    this.#lookedAtMs = nowMs;
    const seen = new Set<string>();
    for (const condition of this.#options.conditions()) {
      const key = `${condition.name}\n${condition.subject}`;
      seen.add(key);
      this.#see(key, condition, nowMs);
    }
    for (const key of this.#pending.keys()) if (!seen.has(key)) this.#pending.delete(key);
    for (const [key, active] of this.#active) {
      if (!seen.has(key) && nowMs - active.seenAtMs >= CLEAR_AFTER_MS) this.#clear(key, nowMs);
    }
  }

  /** Carries out what the API asks. */
  answer(command: AlarmCommand): AlarmAnswers[AlarmCommand['kind']] {
    switch (command.kind) {
      case 'alarms':
        return {
          alarms: [...[...this.#active.values()].map(({ alarm }) => alarm), ...this.#history],
        };
      case 'acknowledge-alarm':
        return { acknowledgement: this.#acknowledge(command) };
      case 'remove-alarm':
        return this.#remove(command.id);
    }
  }

  #see(key: string, condition: AlarmCondition, nowMs: number): void {
    const active = this.#active.get(key);
    if (active !== undefined) {
      active.seenAtMs = nowMs;
      const { summary, severity } = condition;
      active.alarm = { ...active.alarm, summary, severity };
      return;
    }
    const sinceMs = this.#pending.get(key) ?? nowMs;
    if (nowMs - sinceMs < RAISE_AFTER_MS) {
      if (this.#pending.size < ACTIVE_MAX) this.#pending.set(key, sinceMs);
      return;
    }
    if (this.#active.size >= ACTIVE_MAX) return;
    this.#pending.delete(key);
    const id = this.#options.newId();
    const alarm: WireAlarm = { id, ...condition, sinceMs, acknowledgements: [] };
    this.#active.set(key, { alarm, seenAtMs: nowMs });
    this.#tell('alarm.raised', alarm);
  }

  #clear(key: string, nowMs: number): void {
    const active = this.#active.get(key);
    if (active === undefined) return;
    this.#active.delete(key);
    const alarm = { ...active.alarm, clearedAtMs: nowMs };
    this.#history.push(alarm);
    if (this.#history.length > HISTORY_MAX) this.#history.shift();
    this.#tell('alarm.cleared', alarm);
  }

  #acknowledge(command: Extract<AlarmCommand, { kind: 'acknowledge-alarm' }>) {
    const { id, by, comment } = command;
    const acknowledgement = { by, comment, atMs: this.#options.nowMs() };
    for (const active of this.#active.values()) {
      if (active.alarm.id !== id) continue;
      active.alarm = withOneMore(active.alarm, acknowledgement);
      return acknowledgement;
    }
    const at = this.#history.findIndex((alarm) => alarm.id === id);
    const alarm = this.#history[at];
    if (alarm === undefined) return undefined;
    this.#history[at] = withOneMore(alarm, acknowledgement);
    return acknowledgement;
  }

  #remove(id: string): AlarmAnswers['remove-alarm'] {
    for (const { alarm } of this.#active.values()) if (alarm.id === id) return { kind: 'active' };
    const rest = this.#history.filter((alarm) => alarm.id !== id);
    if (rest.length === this.#history.length) return { kind: 'absent' };
    this.#history = rest;
    return { kind: 'removed' };
  }

  #tell(type: 'alarm.raised' | 'alarm.cleared', alarm: WireAlarm): void {
    const { id: alarm_id, name, subject, severity, summary } = alarm;
    const about = { alarm_id, name, subject: subject === '' ? null : subject };
    this.#options.events.emit({ type, detail: { ...about, severity, summary } });
  }
}

function withOneMore(alarm: WireAlarm, one: WireAcknowledgement): WireAlarm {
  const acknowledgements = [...alarm.acknowledgements, one].slice(-ACKNOWLEDGEMENTS_MAX);
  return { ...alarm, acknowledgements };
}
