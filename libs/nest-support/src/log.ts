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
  return quoted({ ...fields, time: new Date().toISOString(), level, event });
}

function textLine(level: LogLevel, event: string, fields: LogFields): string {
  const words = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${textValue(value)}`);
  return `${new Date().toISOString()} ${level.padEnd(5)} ${event}${words.join('')}`;
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
