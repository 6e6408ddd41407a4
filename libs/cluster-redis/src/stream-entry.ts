/** An entry of a Redis stream. */
export interface StreamEntry {
  readonly id: string;
  readonly fields: ReadonlyMap<string, Buffer>;
}

/** Reads the reply of XRANGE, or one stream's part of the reply of XREAD. What is not an entry is left out. */
export function parseEntries(reply: unknown): StreamEntry[] {
  if (!Array.isArray(reply)) return [];
  const entries: StreamEntry[] = [];
  for (const item of reply as unknown[]) {
    if (!Array.isArray(item)) continue;
    const [id, flat] = item as unknown[];
    // Redis 7 answers a deleted entry with null fields.
    if (!Buffer.isBuffer(id)) continue;
    entries.push({ id: id.toString('latin1'), fields: fieldsOf(flat) });
  }
  return entries;
}

function fieldsOf(flat: unknown): Map<string, Buffer> {
  const fields = new Map<string, Buffer>();
  if (!Array.isArray(flat)) return fields;
  for (let index = 0; index + 1 < flat.length; index += 2) {
    const name: unknown = flat[index];
    const value: unknown = flat[index + 1];
    if (Buffer.isBuffer(name) && Buffer.isBuffer(value)) fields.set(name.toString(), value);
  }
  return fields;
}
