import { readLuaScript, type LuaScript } from '#libs/redis-client';

/** Reads a command from `commands/`, with the text of those it stands upon before it. */
export function readScript(...names: readonly string[]): LuaScript {
  return readLuaScript(new URL('./commands/', import.meta.url), names);
}
