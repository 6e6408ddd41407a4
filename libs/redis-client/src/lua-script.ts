import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua command: its text goes to Redis once per connection, its SHA-1 with each call. */
export interface LuaScript {
  readonly text: string;
  readonly sha: string;
}

/** Reads a command from a folder, with the text of those it stands upon before it. */
export function readLuaScript(folder: URL, names: readonly string[]): LuaScript {
  const text = names.map((name) => readFileSync(new URL(`${name}.lua`, folder), 'utf8')).join('\n');
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}
