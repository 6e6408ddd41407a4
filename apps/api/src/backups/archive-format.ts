import { z } from 'zod';
import { BACKUP_SECTIONS as SECTIONS, type WireBackupQueued } from '#libs/api-contracts';
import { ItemDigest, SectionTally } from './archive-checksum.ts';
import { ArchiveFault } from './archive-fault.ts';

/*
 * An archive is text, one JSON value in a line, compressed by gzip:
 *
 *   {"format":"skein-backup","version":1,...}           first, whose and when
 *   {"section":"retained"}                               for each section
 *   {"item":...}                                         for each item
 *   {"item":...,"queue":[...],"more":true}               of a session: with the beginning of its queue
 *   {"queue":[...]}                                      and the rest of it
 *   {"end":"retained","items":3,"checksum":"..."}
 *   {"end":"skein-backup","sections":8}                  last: what does not end so is cut off
 */

/** The version of archives: a reader refuses a later one. */
export const ARCHIVE_VERSION = 1;

/** A section of an archive. */
export type SectionName = (typeof SECTIONS)[number];

const headerSchema = z.object({
  format: z.literal('skein-backup'),
  version: z.number().int(),
  created_at: z.iso.datetime(),
  cluster: z.string(),
  node_version: z.string(),
});

/** What an archive says of itself. */
export type ArchiveHeader = z.infer<typeof headerSchema>;

/** What a section of an archive holds. */
export interface SectionSummary {
  readonly name: SectionName;
  readonly items: number;
  readonly messages: number;
  readonly checksum: string;
}

const queueSchema = z.array(z.tuple([z.number().int().min(1), z.string()]));
const lineSchema = z.union([
  z.strictObject({ section: z.string() }),
  z.strictObject({
    item: z.unknown(),
    queue: queueSchema.optional(),
    more: z.boolean().optional(),
  }),
  z.strictObject({ queue: queueSchema, more: z.boolean().optional() }),
  z.strictObject({
    ...{ end: z.enum(SECTIONS), items: z.number().int(), messages: z.number().int() },
    checksum: z.string(),
  }),
  z.strictObject({ end: z.literal('skein-backup'), sections: z.number().int() }),
]);

/** An item, or more of one. */
export interface ArchiveItem {
  readonly section: SectionName;
  /** Undefined: more of the queue of the item before. */
  readonly item?: unknown;
  readonly queue: readonly WireBackupQueued[];
  /** Whether more of its queue follows. */
  readonly more: boolean;
}

/** What counts of an item for its checksum: times at which it is over change where it is restored. */
export function digestOf(section: SectionName, item: unknown): ItemDigest {
  if (section !== 'sessions' && section !== 'delayed') return new ItemDigest(item);
  const { expiresAtMs: _, dueAtMs: __, ...rest } = item as Readonly<Record<string, unknown>>;
  return new ItemDigest(rest);
}

/** Counts the items of a section as they pass. */
export class SectionCounter {
  readonly tally = new SectionTally();
  readonly #section: SectionName;
  #open: ItemDigest | undefined;

  constructor(section: SectionName) {
    this.#section = section;
  }

  /** Counts an item, or more of the one before; its digest, if it is whole. */
  add({ item, queue, more }: Omit<ArchiveItem, 'section'>): string | undefined {
    this.#open = (item === undefined ? this.#open : digestOf(this.#section, item))?.add(queue);
    this.tally.messages += queue.length;
    if (more) return undefined;
    const digest = this.#open?.end();
    this.#open = undefined;
    if (digest !== undefined) this.tally.add(digest);
    return digest;
  }

  /** Whether more of an item is awaited. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }
}

/** What is written: a section, and where its items come from. */
export interface SectionSource {
  readonly name: SectionName;
  items(): AsyncIterable<Omit<ArchiveItem, 'section'>>;
}

/** The lines of an archive; each section is told when it is whole. */
export async function* archiveLines(
  header: ArchiveHeader,
  sections: readonly SectionSource[],
  ended: (section: SectionSummary) => void,
): AsyncGenerator<string, void, undefined> {
  yield lineOf(header);
  for (const source of sections) {
    const { name } = source;
    yield lineOf({ section: name });
    const counter = new SectionCounter(name);
    for await (const { item, queue, more } of source.items()) {
      counter.add({ item, queue, more });
      yield lineOf({
        ...(item !== undefined && { item }),
        ...((queue.length > 0 || item === undefined) && { queue }),
        ...(more && { more }),
      });
    }
    const { items: count, messages, checksum } = counter.tally;
    yield lineOf({ end: name, items: count, messages, checksum });
    ended({ name, items: count, messages, checksum });
  }
  yield lineOf({ end: 'skein-backup', sections: sections.length });
}

function lineOf(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}

/** What is read of an archive. */
export interface ArchiveReading {
  readonly header?: (header: ArchiveHeader) => void;
  readonly ended?: (section: SectionSummary) => void;
}

/**
 * The items of an archive, all of whose counts and checksums are compared.
 *
 * @throws ArchiveFault naming the line.
 */
export async function* readArchive(
  lines: AsyncIterable<string>,
  { header: began, ended }: ArchiveReading = {},
): AsyncGenerator<ArchiveItem & { readonly digest: string | undefined }, void, undefined> {
  let number = 0;
  let section: { readonly name: SectionName; readonly counter: SectionCounter } | undefined;
  let sections = 0;
  let isWhole = false;
  for await (const text of lines) {
    number += 1;
    const fault = (problem: string): ArchiveFault => new ArchiveFault(`line ${number}`, problem);
    if (isWhole) throw fault('something follows the end of the archive');
    const value = parsed(text, fault);
    if (number === 1) {
      began?.(headerOf(value, fault));
      continue;
    }
    const line = lineSchema.safeParse(value).data;
    if (line === undefined) throw fault('this is no line of an archive');
    if ('section' in line) {
      if (section !== undefined) throw fault(`section ${section.name} has not ended`);
      const name = SECTIONS.find((each) => each === line.section);
      if (name === undefined) throw fault(`there is no section ${JSON.stringify(line.section)}`);
      section = { name, counter: new SectionCounter(name) };
    } else if ('end' in line && line.end === 'skein-backup') {
      if (section !== undefined) throw fault(`section ${section.name} has not ended`);
      if (line.sections !== sections) throw fault(`there are ${sections} sections`);
      isWhole = true;
    } else if (section === undefined) {
      throw fault('there is no section that it belongs to');
    } else if ('end' in line) {
      const summary = summaryOf(section);
      const { end, ...counts } = line;
      if (section.counter.isOpen) throw fault('more of a queue is announced');
      if (end !== section.name) throw fault(`section ${section.name} has not ended`);
      requireSame(summary, counts, fault);
      ended?.(summary);
      sections += 1;
      section = undefined;
    } else {
      const { queue = [], more = false } = line;
      const item = 'item' in line ? line.item : undefined;
      if (section.counter.isOpen !== (item === undefined)) {
        throw fault(item === undefined ? 'it belongs to no item' : 'more of a queue is announced');
      }
      const next = { item, queue, more };
      yield { section: section.name, ...next, digest: section.counter.add(next) };
    }
  }
  if (!isWhole) throw new ArchiveFault(`line ${number + 1}`, 'the archive is cut off here');
}

function parsed(text: string, fault: (problem: string) => ArchiveFault): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw fault('this is no JSON: the file is no archive, was changed, or is cut off');
  }
}

function headerOf(value: unknown, fault: (problem: string) => ArchiveFault): ArchiveHeader {
  const header = headerSchema.safeParse(value).data;
  if (header === undefined) throw fault('the file is no backup of Skein');
  if (header.version === ARCHIVE_VERSION) return header;
  throw fault(`the archive has version ${header.version}; this release reads ${ARCHIVE_VERSION}`);
}

function summaryOf({
  name,
  counter,
}: {
  readonly name: SectionName;
  readonly counter: SectionCounter;
}): SectionSummary {
  const { items, messages, checksum } = counter.tally;
  return { name, items, messages, checksum };
}

function requireSame(
  summary: SectionSummary,
  stated: Omit<SectionSummary, 'name'>,
  fault: (problem: string) => ArchiveFault,
): void {
  const { name, items, messages, checksum } = summary;
  if (stated.items !== items || stated.messages !== messages) {
    throw fault(`section ${name} has ${items} items and ${messages} messages, and states others`);
  }
  if (stated.checksum !== checksum) throw fault(`section ${name} has another checksum`);
}
