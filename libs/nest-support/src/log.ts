import type { Log, LogFields } from '#libs/broker-ports';

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** How grave an event is. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** What a log is made with. */
export interface LogOptions {
  /** Events below it are dropped. */
  readonly level: LogLevel;
  /** `json` for machines, `text` for a terminal. */
  readonly format: 'json' | 'text';
  /** Takes one line at a time, without its end. */
  readonly write: (line: string) => void;
  /** Milliseconds since 1970. @defaultValue `Date.now` */
  readonly now?: () => number;
}

/** What a component of a process writes, or all of them. */
export interface LevelChange {
  /** All components that have no level of their own, if absent. */
  readonly component?: string | undefined;
  /** Undefined takes back what was set. */
  readonly level: LogLevel | undefined;
  /** When what was set ends by itself; never if absent. */
  readonly untilMs?: number | undefined;
}

/** The level of a component at this moment. */
export interface ComponentLevel {
  readonly component: string;
  readonly level: LogLevel;
  /** `set`: for this component; `all`: for all; `config`: nobody has set one. */
  readonly source: 'set' | 'all' | 'config';
  readonly untilMs?: number;
}

interface SetLevel {
  readonly level: LogLevel;
  readonly untilMs: number;
}

/** The logs of a process, one for each of its components, with levels that may change. */
export class Logs {
  readonly #options: LogOptions;
  readonly #now: () => number;
  readonly #components = new Set<string>();
  readonly #own = new Map<string, SetLevel>();
  #all: SetLevel | undefined;
  /** The level where nobody has set another one. */
  level: LogLevel;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.level = options.level;
  }

  /** The log of a component. */
  of(component: string): Log {
    this.#components.add(component);
    const { format, write } = this.#options;
    const render = format === 'json' ? jsonLine : textLine;
    const at = (own: LogLevel) => {
      const rank = LEVELS.indexOf(own);
      return (event: string, fields: LogFields = {}): void => {
        if (rank < LEVELS.indexOf(this.#levelOf(component).level)) return;
        write(render(own, event, { ...fields, component }));
      };
    };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }

  /** Sets a level, or takes one back; false when there is no such component. */
  set({ component, level, untilMs = Infinity }: LevelChange): boolean {
    const wanted = level && { level, untilMs };
    if (component === undefined) {
      this.#all = wanted;
      return true;
    }
    if (!this.#components.has(component)) return false;
    if (wanted === undefined) this.#own.delete(component);
    else this.#own.set(component, wanted);
    return true;
  }

  /** The levels of all components, by name. */
  levels(): readonly ComponentLevel[] {
    return [...this.#components].toSorted().map((component) => this.#levelOf(component));
  }

  #levelOf(component: string): ComponentLevel {
    const own = this.#valid(this.#own.get(component));
    const set = own ?? this.#valid(this.#all);
    if (set === undefined) return { component, level: this.level, source: 'config' };
    const { level, untilMs } = set;
    const source = own === undefined ? 'all' : 'set';
    return { component, level, source, ...(untilMs !== Infinity && { untilMs }) };
  }

  #valid(set: SetLevel | undefined): SetLevel | undefined {
    return set !== undefined && set.untilMs > this.#now() ? set : undefined;
  }
}

/** Makes a log that writes one line per event. */
export function createLog({ level, format, write }: LogOptions): Log {
  const render = format === 'json' ? jsonLine : textLine;
  const at = (own: LogLevel) => {
    if (LEVELS.indexOf(own) < LEVELS.indexOf(level)) return () => {};
    return (event: string, fields: LogFields = {}) => write(render(own, event, fields));
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function jsonLine(level: LogLevel, event: string, fields: LogFields): string {
  return quoted({ ...redacted(fields), time: new Date().toISOString(), level, event });
}

function textLine(level: LogLevel, event: string, fields: LogFields): string {
  const words = Object.entries(redacted(fields))
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${textValue(value)}`);
  return `${new Date().toISOString()} ${level.padEnd(5)} ${event}${words.join('')}`;
}

/** Names of fields that no line shows, whoever sets them; without their case and hyphens. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  ...['password', 'passwd', 'passphrase', 'secret', 'token', 'authorization', 'cookie'],
  ...['apikey', 'privatekey', 'credential', 'credentials', 'payload'],
]);
const MASK = '***';
/** What stands between the scheme and the host of a URL. */
const LOGIN_IN_URL = /([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]*@/gi;

/** The fields without secrets: a last guard, for nobody is to log any. */
function redacted(fields: LogFields): LogFields {
  let safe: Record<string, LogFields[string]> | undefined;
  for (const name in fields) {
    const value = fields[name];
    const shown = shownOf(name, value);
    if (shown === value) continue;
    safe ??= { ...fields };
    safe[name] = shown;
  }
  return safe ?? fields;
}

/** By name: those of the code are few, and come again and again. */
const judged = new Map<string, boolean>();
const JUDGED_MAX = 1_000;

function isSecret(name: string): boolean {
  const known = judged.get(name);
  if (known !== undefined) return known;
  const found = SECRET_NAMES.has(name.toLowerCase().replaceAll(/[-_]/g, ''));
  if (judged.size < JUDGED_MAX) judged.set(name, found);
  return found;
}

function shownOf(name: string, value: LogFields[string]): LogFields[string] {
  if (value === undefined) return undefined;
  if (isSecret(name)) return MASK;
  if (typeof value !== 'string' || !value.includes('://')) return value;
  return value.replaceAll(LOGIN_IN_URL, `$1${MASK}@`);
}

/** Quoted unless it is one plain word: a value cannot forge a field or a line. */
function textValue(value: LogFields[string]): string {
  const text = String(value);
  return /^[\w.,:/@%+*#$-]+$/.test(text) ? text : quoted(text);
}

/** As JSON, without what a terminal or a viewer would obey: control characters, ends of lines and of directions. */
function quoted(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
