import type { Log, LogFields } from '#libs/broker-ports';

/** A CONNECT that was refused. */
export interface Refusal {
  readonly listener: string;
  /** Of the CONNACK (MQTT 5, section 3.2.2.2). */
  readonly reasonCode: number;
  readonly detail: string;
  /** What the client calls itself; undefined when its CONNECT did not come or was not understood. */
  readonly clientId: string | undefined;
  readonly address: string;
}

/** So many of one reason are told in a period; a storm of refusals is no storm of lines. */
export const REFUSALS_TOLD = 10;
export const PERIOD_MS = 60_000;
const CLIENT_ID_LENGTH_MAX = 64;

interface Period {
  readonly endsAtMs: number;
  told: number;
  untold: number;
}

/** Tells why clients were refused: of each reason some in a minute, and how many there were besides. */
export class RefusalLog {
  readonly #log: Log;
  readonly #nowMs: () => number;
  readonly #periods = new Map<number, Period>();

  constructor(log: Log, nowMs: () => number) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  /** @param place - where in a trace it is, as fields of a line. */
  tell({ clientId, ...refusal }: Refusal, place: LogFields = {}): void {
    const { reasonCode } = refusal;
    const nowMs = this.#nowMs();
    let period = this.#periods.get(reasonCode);
    let untold: number | undefined;
    if (period === undefined || nowMs >= period.endsAtMs) {
      if (period !== undefined && period.untold > 0) untold = period.untold;
      period = { endsAtMs: nowMs + PERIOD_MS, told: 0, untold: 0 };
      this.#periods.set(reasonCode, period);
    }
    const cut = clientId?.slice(0, CLIENT_ID_LENGTH_MAX);
    const fields = { ...refusal, clientId: cut, untold, ...place };
    if (period.told >= REFUSALS_TOLD) {
      period.untold += 1;
      return this.#log.debug('connect-refused', fields);
    }
    period.told += 1;
    this.#log.info('connect-refused', fields);
  }
}
