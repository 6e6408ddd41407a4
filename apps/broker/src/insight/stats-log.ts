import {
  STATS_FIGURES,
  type NodeAnswers,
  type StatsFigure,
  type StatsTotal,
  type WireFigures,
  type WireSample,
} from '#libs/api-contracts';
import type { NodeGauges, NodeTotals } from '#libs/broker-ports';

/** Rates of the moment are those of so many seconds. */
const RATE_SECONDS = 10;

/** What is kept: how far apart, and how many. */
const FINE = { resolutionMs: 10_000, samplesMax: 360 };
const COARSE = { resolutionMs: 300_000, samplesMax: 288 };

/** Adding up all sessions is not done more often than so, however many ask. */
const GAUGES_MS = 1_000;

/** What a stats log reads. */
export interface StatsLogOptions {
  readonly gauges: () => NodeGauges;
  readonly totals: () => NodeTotals;
  readonly overloadLevel: () => number;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

type Totals = Readonly<Record<StatsTotal, number>>;

interface Moment {
  readonly atMs: number;
  readonly totals: Totals;
}

interface Row {
  readonly settings: typeof FINE;
  readonly samples: WireSample[];
  /** Where the sample that is about to come begins. */
  begin: Moment;
}

/** The figures of a node, now and in the past: bounded, and gone with the process. */
export class StatsLog {
  readonly #options: StatsLogOptions;
  readonly #startedAtMs: number;
  readonly #moments: Moment[] = [];
  readonly #rows: readonly Row[];
  #gauges: { readonly atMs: number; readonly value: NodeGauges } | undefined;

  constructor(options: StatsLogOptions) {
    this.#options = options;
    const begin = this.#now();
    this.#startedAtMs = begin.atMs;
    this.#moments.push(begin);
    this.#rows = [FINE, COARSE].map((settings) => ({ settings, samples: [], begin }));
  }

  /** Takes note of the figures; to be called about once a second. */
  sweep(): void {
    const moment = this.#now();
    this.#moments.push(moment);
    if (this.#moments.length > RATE_SECONDS + 1) this.#moments.shift();
    for (const row of this.#rows) {
      const { resolutionMs, samplesMax } = row.settings;
      const slot = Math.floor(moment.atMs / resolutionMs);
      if (slot === Math.floor(row.begin.atMs / resolutionMs)) continue;
      const figures = this.#figures(row.begin, moment);
      row.samples.push({ atMs: slot * resolutionMs, figures });
      if (row.samples.length > samplesMax) row.samples.shift();
      row.begin = moment;
    }
  }

  /** The figures of this moment. */
  current(): NodeAnswers['stats'] {
    const moment = this.#now();
    const [first = moment] = this.#moments;
    const { totals } = moment;
    return { startedAtMs: this.#startedAtMs, figures: this.#figures(first, moment), totals };
  }

  /** What the sessions amounted to not long ago: for those who look often. */
  lately(): NodeGauges {
    return this.#gauges?.value ?? this.#gaugesOf(this.#options.nowMs());
  }

  /** The figures of so much of the past, as fine as they are kept for all of it. */
  history(windowMs: number): NodeAnswers['stats-history'] {
    const isShort = windowMs <= FINE.resolutionMs * FINE.samplesMax;
    const settings = isShort ? FINE : COARSE;
    const fromMs = this.#options.nowMs() - windowMs;
    const samples = this.#rows.find((row) => row.settings === settings)?.samples ?? [];
    return {
      resolutionMs: settings.resolutionMs,
      samples: samples.filter(({ atMs }) => atMs >= fromMs),
    };
  }

  #now(): Moment {
    const all = this.#options.totals();
    const totals = {
      connects: all.connects,
      messages_received: all.publishReceived,
      messages_sent: all.publishSent,
      messages_dropped: all.deliveriesDropped,
      bytes_received: all.bytesReceived,
      bytes_sent: all.bytesSent,
    };
    return { atMs: this.#options.nowMs(), totals };
  }

  #figures(from: Moment, to: Moment): WireFigures {
    const gauges = this.#gaugesOf(to.atMs);
    // A clock that was set back gives no rates for a moment.
    const seconds = (to.atMs - from.atMs) / 1_000;
    const rate = (name: StatsTotal): number =>
      seconds > 0 ? Math.max(0, to.totals[name] - from.totals[name]) / seconds : 0;
    const { plain, wildcard, shared } = gauges.subscriptions;
    const figures: WireFigures = {
      connections: sumOf(gauges.connections),
      sessions: sumOf(gauges.sessions),
      subscriptions: plain + wildcard + shared,
      inflight_messages: gauges.inflightOut,
      queue_messages: gauges.queueMessages,
      queue_bytes: Math.round(gauges.queueBytes),
      slow_consumers: gauges.slowConsumers,
      retained_messages: gauges.retainedMessages,
      retained_bytes: gauges.retainedBytes,
      delayed_messages: gauges.delayedMessages,
      overload_level: this.#options.overloadLevel(),
      connects_per_second: rate('connects'),
      messages_received_per_second: rate('messages_received'),
      messages_sent_per_second: rate('messages_sent'),
      messages_dropped_per_second: rate('messages_dropped'),
      bytes_received_per_second: rate('bytes_received'),
      bytes_sent_per_second: rate('bytes_sent'),
    };
    return rounded(figures);
  }

  #gaugesOf(atMs: number): NodeGauges {
    const known = this.#gauges;
    if (known !== undefined && Math.abs(atMs - known.atMs) < GAUGES_MS) return known.value;
    const value = this.#options.gauges();
    this.#gauges = { atMs, value };
    return value;
  }
}

function sumOf(parts: readonly { readonly count: number }[]): number {
  return parts.reduce((sum, { count }) => sum + count, 0);
}

/** A thousandth is fine enough for a rate. */
function rounded(figures: WireFigures): WireFigures {
  const names = Object.keys(STATS_FIGURES) as StatsFigure[];
  const entries = names.map((name) => [name, Math.round(figures[name] * 1_000) / 1_000]);
  return Object.fromEntries(entries) as WireFigures;
}
